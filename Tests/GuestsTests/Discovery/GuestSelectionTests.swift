import Linux
import QMP
import Testing

@testable import Guests

@Suite("Choosing the guest that is meant")
struct GuestSelectionTests {
    private func guest(_ pid: Int32, name: String, socket: String? = nil, isNew: Bool = false) -> GuestProcess {
        var guest = GuestProcess(
            identity: ProcessIdentity(pid: pid, startTime: 1), executable: nil, arguments: ["qemu-system-x86_64"])
        guest.name = name
        guest.monitors = socket.map { [MonitorSocket(path: $0)] } ?? []
        guest.isNewSideOfRefresh = isNew
        return guest
    }

    private func select(_ text: String, from guests: [GuestProcess]) throws(DiscoveryError) -> Int32 {
        try GuestSelection.select(text, from: guests) { $0 == 1 ? "systemd" : nil }.identity.pid
    }

    @Test("By name, pid or socket")
    func selectors() throws {
        let guests = [guest(900_001, name: "web", socket: "/nowhere/web.qmp"), guest(900_002, name: "db")]
        #expect(try select("web", from: guests) == 900_001)
        #expect(try select("900002", from: guests) == 900_002)
        #expect(try select("/nowhere/web.qmp", from: guests) == 900_001)
    }

    @Test("A name that is a number is found when no QEMU has that pid")
    func numericName() throws {
        #expect(try select("100", from: [guest(900_001, name: "100")]) == 900_001)
        #expect(try select("900001", from: [guest(900_001, name: "a"), guest(900_002, name: "900001")]) == 900_001)
    }

    @Test("An ambiguous name lists the candidates")
    func ambiguous() {
        let guests = [guest(900_001, name: "web", socket: "/nowhere/1"), guest(900_002, name: "web")]
        #expect(
            throws: DiscoveryError.ambiguous(selector: "web", candidates: ["pid 900001 (/nowhere/1)", "pid 900002"])
        ) {
            try select("web", from: guests)
        }
    }

    @Test("The new side of a refresh is not offered")
    func newSide() throws {
        let guests = [guest(900_001, name: "web"), guest(900_002, name: "web", isNew: true)]
        #expect(try select("web", from: guests) == 900_001)
        #expect(throws: DiscoveryError.unfinishedRefresh(selector: "900002", pid: 900_002)) {
            try select("900002", from: guests)
        }
    }

    @Test("What is no guest is named")
    func notAGuest() {
        #expect(throws: DiscoveryError.notAGuest(pid: 1, program: "systemd")) { try select("1", from: []) }
        #expect(throws: DiscoveryError.notFound(selector: "x", hint: "No QEMU that this user can see is running.")) {
            try select("x", from: [])
        }
    }
}

@Suite("Versions of binaries")
struct VersionQueryTests {
    @Test("What --version prints")
    func output() {
        let debian = QEMUVersion(
            versionOutput: "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022\n")
        #expect(debian?.description == "7.2.22")
        #expect(debian?.package == "Debian 1:7.2+dfsg-7+deb12u18+b3")
        #expect(QEMUVersion(versionOutput: "QEMU emulator version 10.0.2\n")?.description == "10.0.2")
        #expect(QEMUVersion(versionOutput: "QEMU emulator version 9.2.50 (v9.2.0-1)")?.package == "v9.2.0-1")
        #expect(QEMUVersion(versionOutput: "qemu-img version 7.2.22") == nil)
        #expect(QEMUVersion(versionOutput: "") == nil)
        #expect(QEMUVersion(versionOutput: "QEMU emulator version x.y") == nil)
    }

    @Test("Programs in other hands are not ours to run")
    func trust() {
        #expect(ProgramTrust.isOurs("/bin/sh"))
        #expect(!ProgramTrust.isOurs("/nowhere/at/all"))
    }
}
