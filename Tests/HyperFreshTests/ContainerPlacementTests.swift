import Glibc
import Linux
import StackFile
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// The placement of containers in OS VMs, and the effect of a changed stack file.
@Suite struct ContainerPlacementTests {
    private let scratch: ScratchFolder
    private let store: StackStore
    private let stack: Stack

    init() throws {
        scratch = ScratchFolder()
        store = StackStore(stateDirectory: "\(scratch.path)/state")
        stack = try Sample.systems()
        for system in stack.systems { _ = try store.createInstance(of: system.name) }
    }

    private func names(in system: Int) throws -> [String] {
        try store.containers(of: stack.systems[system], in: stack).map(\.name)
    }

    @Test func theFileSaysWhereAContainerIsFirst() throws {
        #expect(try store.place(ofContainer: "redis", in: stack) == nil)
        #expect(try names(in: 0) == ["redis", "worker"])
        #expect(try names(in: 1) == ["mail"])
    }

    @Test func theRecordSaysWhereItIsLater() throws {
        try store.place("redis", on: "1f3c", of: "delta")
        let place = try #require(try store.place(ofContainer: "redis", in: stack))
        #expect(place.system.name == "delta" && place.instance == "1f3c")
        #expect(try names(in: 0) == ["worker"])
        #expect(try names(in: 1) == ["redis", "mail"])
    }

    // MARK: - A changed stack file

    private func change(to text: String, placed: [String: String] = ["redis": "gamma"]) throws -> StackChange {
        let new = try Stack.parse(Array(text.utf8), path: "new.yaml", directory: "/etc/stacks")
        return StackChange(
            from: stack, to: new, isUp: { _ in true }, isPlaced: { _, _ in false },
            systemOf: { container in stack.systems.first { $0.name == placed[container.name] } })
    }

    @Test func aContainerThatOnlyChangesItsHomeStaysWhereItIs() throws {
        let text = Sample.systemsText().replacing("name: redis", with: "name: other")
            .replacing("- name: mail", with: "- {name: redis, bundle: ./redis, memory: 16M}\n      - name: mail")
        let change = try change(to: text)
        #expect(change.alterations.isEmpty && change.orphanedContainers.isEmpty && change.orphanedHypervisors.isEmpty)
    }

    @Test func whatTheFileHasNoMoreIsAnOrphan() throws {
        let text = Sample.systemsText().replacing("name: redis", with: "name: other")
        let orphan = try #require(try change(to: text, placed: ["redis": "delta"]).orphanedContainers.first)
        #expect(orphan.container.name == "redis" && orphan.system.name == "delta")
        #expect(try change(to: text, placed: [:]).orphanedContainers.isEmpty, "what was never started is no orphan")
    }

    @Test(arguments: [("memory: 16M", "memory: 18M", "memory"), ("./redis", "./redis2", "bundle")])
    func whatAContainerCannotFollowIsNamed(old: String, new: String, key: String) throws {
        let text = Sample.systemsText().replacing(old, with: new, maxReplacements: 1)
        #expect(try change(to: text).alterations == ["container redis: \(key)"])
    }

    @Test func aHypervisorIsNoOSVM() throws {
        let change = try change(to: "version: 1\nname: rack7\nhypervisors: [{name: gamma}, {name: delta}]\n")
        #expect(
            change.alterations.prefix(2) == [
                "OS VM gamma is a hypervisor now", "OS VM delta is a hypervisor now",
            ])
    }

    // MARK: - Root file system servers

    @Test func serversThatAreLeftAreEnded() async throws {
        let (id, folder) = try store.createInstance(of: "gamma")
        let other = try store.createInstance(of: "gamma").folder
        let processes = try [folder, other].map { folder in
            try spawn(
                SpawnRequest(
                    executable: "/bin/sh",
                    arguments: ["sh", "-c", "sleep 60; :", "--socket-path=\(folder.shareSocket("redis"))"]))
        }
        try store.forget("gamma", instance: id)
        for _ in 0..<100 where processes[0].isAlive { try await Task.sleep(for: .milliseconds(20)) }
        #expect(!processes[0].isAlive)
        #expect(!Files.exists(folder.path))
        #expect(processes[1].isAlive, "it serves another instance")
        kill(processes[1].pid, SIGKILL)
    }

    @Test func aFolderWithoutABundleIsRefused() async throws {
        let folder = try store.createInstance(of: "gamma").folder
        let container = ContainerSpec.sample(bundle: "\(scratch.path)/nothing", in: stack)
        let error = await #expect(throws: HyperFreshError.self) {
            try await ShareServer(container: container, folder: folder).start()
        }
        #expect(error?.message.contains("config.json") == true)
    }
}

extension ContainerSpec {
    fileprivate static func sample(bundle: String, in stack: Stack) -> ContainerSpec {
        var container = stack.containers[0]
        container.bundle = bundle
        return container
    }
}
