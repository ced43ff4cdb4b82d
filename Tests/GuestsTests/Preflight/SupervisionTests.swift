import Testing

@testable import Guests

@Suite("Who acts when the old QEMU ends")
struct SupervisionTests {
    private static let guest = Ancestor(
        pid: 900, command: "qemu-system-x86", program: "qemu-system-x86_64", arguments: ["qemu-system-x86_64"],
        session: 5)

    private static func shell(_ text: String, pid: Int32 = 800, command: String = "sh") -> Ancestor {
        Ancestor(pid: pid, command: command, arguments: ["sh", "-c", text], session: 5, scriptText: .text(text))
    }

    private static func process(_ command: String, pid: Int32 = 700, _ arguments: String...) -> Ancestor {
        Ancestor(pid: pid, command: command, arguments: [command] + arguments, session: 5)
    }

    private static let systemd = Ancestor(pid: 1, command: "systemd", arguments: ["/sbin/init"])

    private func verdicts(_ parentage: Parentage) -> [String: FindingSeverity] {
        Dictionary(
            SupervisionChecks(parentage).findings.map { ($0.id.rawValue, $0.severity) }, uniquingKeysWith: max)
    }

    private func verdicts(
        _ ancestors: Ancestor..., first: Ancestor = systemd, inNamespace: Bool = false, isOrphan: Bool = false,
        oldest: Int32? = nil
    ) -> [String: FindingSeverity] {
        verdicts(
            Parentage(
                guest: Self.guest, isOrphan: isOrphan, hasOwnNamespace: inNamespace, ancestors: ancestors, first: first,
                oldestChild: oldest))
    }

    // MARK: - Scripts

    private static let loops = [
        "while true; do qemu-system-x86_64 -m 1G; done",
        "while :\ndo\n  /usr/bin/qemu-system-x86_64 \\\n -m 1G\n  sleep 1\ndone",
        "until qemu-system-x86_64 -m 1G; do sleep 1; done",
        "for i in 1 2 3; do sudo qemu-system-x86_64; done",
        "while true; do qemu-system-x86_64 & wait; done",
        "run() { qemu-system-x86_64; }; while true; do run; done",
        "Q=/opt/q; while true; do \"$Q\" -m 1G; done",
        "Q=/usr/bin/qemu-system-x86_64; while true; do $Q -m 1G; done",
        "set -- qemu-system-x86_64 -m 1G\nwhile true; do \"$@\"; done",
        "while true; do exec 3>log; nice -n 5 qemu-system-x86_64 -m 1G; done",
        "qemu-system-x86_64 -m 1G\nexec \"$0\" \"$@\"",
        "while true; do kvm -m 1G; done",
    ]
    private static let noLoops = [
        "qemu-system-x86_64 -m 1G; echo $?",
        "for d in a b; do args=\"$args -drive file=$d\"; done; qemu-system-x86_64 $args; exit",
        "until ping -c1 gw; do sleep 1; done\nqemu-system-x86_64 -m 1G\n",
        "# while it runs\nqemu-system-x86_64 -name 'while; do' -m 1G",
        "for n in a b; do qemu-system-x86_64 -name $n & done; wait",
        "exec qemu-system-x86_64 \"$@\"",
    ]

    @Test(arguments: loops)
    func aLoopAroundQEMUIsRefused(text: String) {
        #expect(verdicts(Self.shell(text))["supervisor-restarts"] == .fail)
    }

    @Test(arguments: noLoops)
    func aScriptThatRunsQEMUOnceIsNot(text: String) {
        #expect(verdicts(Self.shell(text)) == ["pid-namespace-ends": .pass, "parent-acts": .warn])
    }

    @Test func theLoopMayBeFurtherUp() {
        var inner = Self.shell("qemu-system-x86_64 -m 1G; exit 1", command: "start-vm")
        inner.arguments = ["/bin/sh", "/opt/start-vm", "web"]
        let outer = Self.shell("while sleep 1; do sudo /opt/start-vm web; done", pid: 600)
        #expect(verdicts(inner, Self.process("sudo", "start-vm"), outer)["supervisor-restarts"] == .fail)
        let once = Self.shell("while read x; do echo $x; done < list; /opt/start-vm web", pid: 600)
        #expect(verdicts(inner, once)["supervisor-restarts"] == nil)
    }

    // MARK: - Others

    @Test(arguments: ["runsv", "s6-supervise", "supervise-daemon", "monit", "circusd"])
    func aSupervisorIsRefused(name: String) {
        #expect(verdicts(Self.process(name))["supervisor-restarts"] == .fail)
    }

    @Test func anInterpretersScriptIsKnown() {
        #expect(verdicts(Self.process("python3", "/usr/bin/supervisord"))["supervisor-restarts"] == .fail)
        #expect(verdicts(Self.process("python3", "start-guests.py"))["parent-acts"] == .warn)
    }

    @Test func aContainersRuntimeCleansUp() {
        #expect(verdicts(Self.process("conmon"))["parent-acts"] == .fail)
        #expect(verdicts(Self.process("containerd-shim"))["parent-acts"] == .fail)
    }

    @Test func ordinaryWaysOfStarting() {
        #expect(verdicts(Self.systemd) == ["pid-namespace-ends": .pass, "parent-acts": .pass])
        #expect(verdicts(Self.process("sudo"), Self.shell("sudo qemu-system-x86_64"))["parent-acts"] == .warn)
        var bash = Ancestor(pid: 50, command: "bash", arguments: ["-bash"])
        bash.readsTerminal = true
        #expect(verdicts(bash) == ["pid-namespace-ends": .pass, "parent-acts": .warn])
        #expect(verdicts(Self.process("runsv"), isOrphan: true)["supervisor-restarts"] == nil)
        // This host's init may be any program; a process in its own session was adopted by it.
        let agent = Ancestor(pid: 1, command: "agent", session: 0)
        #expect(verdicts(agent, first: agent) == ["pid-namespace-ends": .pass, "parent-acts": .pass])
    }

    // MARK: - Namespaces

    @Test func theFirstOfANamespaceTakesAllAlong() {
        let found = verdicts(Parentage(guest: Self.guest, isFirst: true, hasOwnNamespace: true))
        #expect(found == ["pid-namespace-ends": .fail])
    }

    @Test func aFirstThatWaitsTakesAllAlong() {
        let script = Self.shell("qemu-system-x86_64; exit $?", pid: 899)
        #expect(verdicts(script, first: script, inNamespace: true)["pid-namespace-ends"] == .fail)
        let other = Self.process("entrypoint", pid: 898)
        #expect(verdicts(script, other, first: other, inNamespace: true)["pid-namespace-ends"] == .fail)
    }

    @Test func aScriptIsWhatRunsItNotWhatItIsCalled() {
        var script = Self.shell("qemu-system-x86_64; poweroff", pid: 899, command: "init")
        script.program = "dash"
        script.arguments = ["/bin/sh", "/init"]
        #expect(verdicts(script, first: script, inNamespace: true)["pid-namespace-ends"] == .fail)
        script.program = "busybox"
        script.arguments = ["/bin/busybox", "sh", "/init"]
        #expect(verdicts(script, first: script, inNamespace: true)["pid-namespace-ends"] == .fail)
    }

    @Test(arguments: ["tini", "dumb-init", "docker-init", "catatonit"])
    func aReaperEndsWithItsOldestChild(name: String) {
        let first = Self.process(name, pid: 1)
        for isInside in [true, false] {
            #expect(verdicts(first, first: first, inNamespace: !isInside, oldest: 900)["pid-namespace-ends"] == .fail)
            #expect(verdicts(first, first: first, inNamespace: !isInside, oldest: 7)["pid-namespace-ends"] != .fail)
        }
    }

    @Test func aFirstThatStaysIsTold() {
        let sleep = Self.process("sleep", pid: 899, "infinity")
        let found = verdicts(sleep, first: sleep, inNamespace: true, isOrphan: true)
        #expect(found == ["pid-namespace-ends": .warn, "parent-acts": .pass])
    }

    @Test func aSystemdOfAnotherNamespaceCannotBeAsked() {
        let inner = Ancestor(pid: 320, command: "systemd", arguments: ["/sbin/init"])
        let found = verdicts(inner, first: inner, inNamespace: true)
        #expect(found["pid-namespace-ends"] == .warn && found["supervisor-restarts"] == .fail)
    }
}
