import Foundation
import JSON
import Linux
import StackFile
import VirtualMachines

/// A container moved with plain CRIU: dumped into a tmpfs, copied over the network, restored.
///
/// It runs in the same two OS VMs as hyperfresh's container, on the same bridge. Each has its root file system already;
/// files that it has written there travel with the images. Everything possible is prepared before the move: namespace,
/// veth pair, control group, and the receiver of the images.
struct PlainContainer {
    static let group = "/sys/fs/cgroup/plain"
    private static let folder = "/run/plain"
    private static let port = 9999
    /// The addresses of the OS VMs' own cards.
    private static let systemAddresses = ["10.231.82.11", "10.231.82.12"]
    private static let hardwareAddress = "02:00:00:82:00:06"

    private let shape: ContainerShape
    private let tools: ContainerTools

    init(_ shape: ContainerShape, _ tools: ContainerTools) {
        self.shape = shape
        self.tools = tools
    }

    /// Shell lines that print the end time of a step.
    private static let steps = "step() { read -r up idle </proc/uptime; echo \"step $1 $up\"; }"

    /// Creates root file system, control group and an address to copy to in an OS VM.
    func prepare(in system: Hypervisor) async throws {
        let program = Array(try Data(contentsOf: URL(fileURLWithPath: "\(tools.bundle)/rootfs/bin/canary")))
        let index = ContainerField.systems.firstIndex(of: system.record.hypervisor) ?? 0
        try await system.agent.run(
            """
            \(InnerFunctions.script)
            make_bridge \(InnerGuestFiles.bridge("lan")) \
                \(HardwareAddress.derived(instance: system.record.runName, network: "lan")) lan
            ip address add $1/\(ContainerField.prefixLength) dev \(InnerGuestFiles.bridge("lan"))
            mkdir -p \(Self.folder)/root \(Self.folder)/images \(Self.folder)/bundle \(Self.group)
            mount -t tmpfs -o mode=755 plain \(Self.folder)/root
            mount -t tmpfs -o size=100%,mode=700 images \(Self.folder)/images
            mount --make-private \(Self.folder)/root
            cd \(Self.folder)/root
            mkdir -p bin dev proc sys tmp var/lib/canary
            cat >bin/canary
            chmod 755 bin/canary
            # CRIU compares the file's times with the recorded ones.
            touch -d @1700000000 bin/canary
            """, [Self.systemAddresses[index]], input: program, to: "prepare the plain container")
    }

    /// Shell lines that recreate the network namespace, and with it remove the locks of the container's sockets.
    private static let network = """
        ip netns del plain 2>/dev/null || true
        while ip link show dev plain0 >/dev/null 2>&1; do ip link delete plain0 2>/dev/null || sleep 0.05; done
        ip netns add plain
        ip link add plain0 type veth peer name eth0 netns plain address \(hardwareAddress)
        ip netns exec plain sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify'
        ip -n plain link set dev lo up
        ip -n plain address add \(ContainerField.plainAddress)/\(ContainerField.prefixLength) dev eth0
        ip -n plain link set dev eth0 up
        ip link set dev plain0 up
        """

    private static let connect = """
        ip link set dev plain0 master \(InnerGuestFiles.bridge("lan"))
        ip -n plain link set dev eth0 address \(hardwareAddress)
        """

    /// Starts the container with runc.
    func start(in system: Hypervisor) async throws {
        let config = try tools.config(words: shape.words) { config in
            config["root"] = ["path": .string("\(Self.folder)/root")]
            var linux = config["linux"]?.object ?? [:]
            linux["namespaces"] = .array(
                (linux["namespaces"]?.array ?? []) + [["type": "network", "path": "/run/netns/plain"]])
            linux["cgroupsPath"] = "/plain"
            config["linux"] = .object(linux)
        }
        try await system.agent.run(
            """
            \(Self.network)
            cat >\(Self.folder)/bundle/config.json
            # CRIU cannot dump descriptors from outside the container.
            runc --log \(Self.folder)/runc.log run --detach --pid-file \(Self.folder)/pid \
                --bundle \(Self.folder)/bundle plain </dev/null >/dev/null 2>&1 || {
                    cat \(Self.folder)/runc.log >&2; exit 1; }
            \(Self.connect)
            """, input: config, to: "start the plain container", within: .seconds(60))
    }

    /// Moves the container from one OS VM to the other.
    func move(from old: String, to new: String) async throws -> ContainerMove {
        let target = Self.systemAddresses[ContainerField.systems.firstIndex(of: new) ?? 0]
        try await tools.with(new) { system in
            _ = try await system.agent.run(
                """
                rm -rf \(Self.folder)/images/* \(Self.folder)/root/var/lib/canary/*
                mkdir -p \(Self.group)
                \(Self.network)
                """, to: "get ready for the plain container")
        }
        let begin = Clock.monotonic()
        async let arriving = tools.with(new) { system in
            try await system.agent.run(Self.arriving, to: "restore the plain container", within: .seconds(600))
        }
        let left = try await tools.with(old) { system in
            try await system.agent.run(
                Self.leaving, [target], to: "dump the plain container", within: .seconds(600))
        }
        let arrived = try await arriving
        let whole = Int((Clock.monotonic() - begin) / 1000)
        let steps = StepReader.steps(left) + StepReader.steps(arrived)
        return ContainerMove(
            downtimeMicroseconds: 0, switchMicroseconds: whole, wholeMicroseconds: whole, copiedRunningBytes: 0,
            sentBytes: StepReader.number("bytes", in: arrived), steps: steps, phases: [])
    }

    private static let leaving = """
        \(steps)
        cd \(folder)
        rm -rf images/*
        mkdir images/files
        pid=$(cat pid)
        network=$(stat --dereference --format=%i /run/netns/plain)
        step begin
        ip link set dev plain0 nomaster
        criu dump --tree $pid --images-dir images --tcp-established --network-lock nftables --file-locks --link-remap \
            --external "net[$network]:network" --root \(folder)/root --manage-cgroups=ignore \
            --freeze-cgroup \(group) --log-file criu.log >/dev/null 2>&1 || { grep Error images/criu.log >&2; exit 1; }
        cp -a root/var/lib/canary/. images/files/
        step dump
        tar -C images --blocking-factor 512 -cf - . | socat -u -b 262144 - TCP:$1:\(port),retry=100,interval=0.1
        step send
        runc delete --force plain 2>/dev/null || true
        rm -rf images/*
        """

    private static let arriving = """
        \(steps)
        cd \(folder)
        socat -u -b 262144 TCP-LISTEN:\(port),reuseaddr - | tar -C images --blocking-factor 512 -xf -
        step begin
        cp -a images/files/. root/var/lib/canary/
        rm -f pid
        sh -c 'echo $$ >\(group)/cgroup.procs; exec "$@"' sh \
            criu restore --images-dir images --restore-detached --pidfile \(folder)/pid --tcp-established \
            --network-lock nftables --file-locks --link-remap --root \(folder)/root --inherit-fd "fd[3]:network" \
            --manage-cgroups=ignore --log-file restore.log 3</run/netns/plain >/dev/null 2>&1 || {
                grep Error images/restore.log >&2; exit 1; }
        step restore
        \(connect)
        step connect
        echo "bytes $(du --summarize --bytes images | cut -f 1)"
        rm -rf images/*
        """
}

/// Parses the output of scripts in OS VMs.
enum StepReader {
    /// Returns the steps after the first one, which is the start time, with durations in milliseconds.
    static func steps(_ text: String) -> [(name: String, milliseconds: Int)] {
        let marks = lines(text).filter { $0.count == 3 && $0[0] == "step" }.compactMap { words in
            Double(words[2]).map { (name: words[1], time: $0) }
        }
        return zip(marks, marks.dropFirst()).map { before, mark in
            (mark.name, Int(((mark.time - before.time) * 1000).rounded()))
        }
    }

    /// Returns the number after a word.
    static func number(_ word: String, in text: String) -> Int {
        lines(text).first { $0.count == 2 && $0[0] == word }.flatMap { Int($0[1]) } ?? 0
    }

    private static func lines(_ text: String) -> [[String]] {
        text.split(whereSeparator: \.isNewline).map { $0.split(separator: " ").map(String.init) }
    }
}
