import Glibc
import Linux
import Testing

@testable import Guests

/// Whether handoffs can be recorded, and the advice if they cannot.
@Suite struct StateFolderTests {
    private final class Folder: Sendable {
        let path = "/tmp/hyperfresh-state-\(getpid())-\(UInt32.random(in: 0 ... .max))"

        init() { mkdir(path, 0o700) }

        deinit {
            for name in ["state/handoffs/x", "state/handoffs", "state/strange", "state"] { remove("\(path)/\(name)") }
            remove(path)
        }

        var state: String { "\(path)/state" }
    }

    @Test func whatIsOursOrNotThereYetPasses() {
        let folder = Folder()
        #expect(HostChecks.stateFolder(folder.state).severity == .pass)
        mkdir(folder.state, 0o700)
        #expect(HostChecks.stateFolder(folder.state).severity == .pass)
        mkdir("\(folder.state)/handoffs", 0o700)
        #expect(HostChecks.stateFolder(folder.state).severity == .pass)
    }

    @Test func aFolderOfOursThatIsTooOpenIsToBeClosed() {
        let folder = Folder()
        mkdir(folder.state, 0o700)
        chmod(folder.state, 0o755)
        let finding = HostChecks.stateFolder(folder.state)
        #expect(finding.severity == .fail && finding.id == .stateFolderUnusable)
        #expect(finding.remedy?.contains("chmod 700 \(folder.state)") == true, "\(finding)")
        chmod(folder.state, 0o700)
        mkdir("\(folder.state)/handoffs", 0o700)
        chmod("\(folder.state)/handoffs", 0o755)
        let inner = HostChecks.stateFolder(folder.state)
        #expect(inner.remedy?.contains("chmod 700 \(folder.state)/handoffs") == true, "\(inner)")
    }

    @Test func whatIsNotProvablyOursIsLeftAsItIs() {
        let folder = Folder()
        mkdir(folder.state, 0o755)
        mkdir("\(folder.state)/strange", 0o755)
        for path in ["/", "/tmp", "/usr", "/etc/passwd", folder.state] {
            let finding = HostChecks.stateFolder(path)
            #expect(finding.severity == .fail, "\(path)")
            #expect(finding.remedy?.contains("--state-dir") == true, "\(finding)")
            for word in ["chmod", "emove", "rm "] { #expect(finding.remedy?.contains(word) == false, "\(finding)") }
        }
        let missing = HostChecks.stateFolder("\(folder.path)/none/state")
        #expect(missing.remedy?.contains("mkdir -p \(folder.path)/none") == true, "\(missing)")
    }
}
