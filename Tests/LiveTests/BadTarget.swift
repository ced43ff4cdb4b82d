import Linux
import Testing

/// A target that is not a QEMU, or not one for this guest.
struct BadTarget: Sendable, CustomTestStringConvertible {
    /// What is at the path.
    enum Kind: Sendable {
        /// An existing program.
        case path(String)
        /// A shell script.
        case script(String)
        /// A script without execute permission.
        case document(String)
        /// Bytes with execute permission.
        case bytes([UInt8])
        /// A copy of the real QEMU in its own folder.
        case copy(of: String)
    }

    let name: String
    let kind: Kind
    /// A part of the expected error.
    let words: String
    /// The finding that contains it.
    var finding = "binary-unusable"

    /// Whether a dry run finds it.
    var isRehearsed = false

    init(
        _ name: String, _ kind: Kind, says words: String, finding: String = "binary-unusable", isRehearsed: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.words = words
        self.finding = finding
        self.isRehearsed = isRehearsed
    }

    var testDescription: String { name }

    /// Creates the target.
    ///
    /// - Returns: its path.
    func make(in folder: String) async throws -> String {
        let path = "\(folder)/\(name.replacing(" ", with: "-"))"
        switch kind {
        case .path(let path): return path
        case .script(let text):
            try Files.replaceAtomically(path, bytes: Array("#!/bin/sh\n\(text)\n".utf8), mode: 0o755)
        case .document(let text): try Files.replaceAtomically(path, bytes: Array(text.utf8), mode: 0o644)
        case .bytes(let bytes): try Files.replaceAtomically(path, bytes: bytes, mode: 0o755)
        case .copy(let original):
            let bytes = try Files.readAll(original, limit: 256 << 20)
            try Files.replaceAtomically(path, bytes: bytes, mode: 0o755)
        }
        return path
    }
}

extension BadTarget {
    /// Targets that preflight must refuse, before anything is touched.
    static let refused: [BadTarget] = [
        BadTarget("nothing", .path("/nonexistent/qemu-system-x86_64"), says: "there is no such file"),
        BadTarget("an unknown name", .path("qemu-system-nonexistent"), says: "there is no such file"),
        BadTarget("no name", .path(""), says: "there is no such file"),
        BadTarget("a folder", .path("/usr/bin"), says: "it is not a regular file"),
        BadTarget("a device", .path("/dev/null"), says: "it is not a regular file"),
        BadTarget("a document", .document("#!/bin/sh\nexec \(Live.qemu7) \"$@\"\n"), says: "it is not executable"),
        BadTarget("bytes", .bytes([0, 1, 2, 3]), says: "xec format error"),
        BadTarget("an empty file", .bytes([]), says: "xec format error"),
        BadTarget("true", .path("/bin/true"), says: "does not report a QEMU"),
        BadTarget("another tool of QEMU's", .path("/usr/bin/qemu-img"), says: "does not report a QEMU"),
        BadTarget("ends at once", .script("exit 0"), says: "does not report a QEMU"),
        BadTarget("fails with words", .script("echo no luck today >&2; exit 3"), says: "no luck today"),
        BadTarget("is killed", .script("kill -SEGV $$"), says: "signal 11"),
        BadTarget("says garbage", .script("head -c 200000 /dev/urandom"), says: "does not report a QEMU"),
        BadTarget("says garbage for ever", .script("exec yes QEMU"), says: "exceeded the limit"),
        BadTarget("hangs", .script("\(sleep); exit 1"), says: "did not exit within"),
        BadTarget(
            "names itself QEMU and ends", .script("\(lie); echo changed my mind >&2; exit 1"), says: "changed my mind"),
        BadTarget("names itself QEMU and hangs", .script("\(lie); \(sleep); exit 1"), says: "did not answer within"),
        BadTarget("names itself QEMU and says garbage", .script("\(lie); echo '{]' >&3; \(sleep)"), says: "QMP"),
        BadTarget("does not exec", .script("\(Live.qemu7) \"$@\"; exit $?"), says: "must end in `exec`"),
        BadTarget(
            "lacks a device", .path("/usr/bin/qemu-system-x86_64-microvm"), says: "virtio-blk-pci: no such device",
            finding: "vmstate-incompatible"),
        BadTarget(
            "emulates another processor", .path("/usr/bin/qemu-system-i386"), says: "emulates i386",
            finding: "machine-type-unknown"),
        BadTarget("is away from its modules", .copy(of: Live.qemu7), says: "could not load module"),
    ]

    /// Targets that look like QEMU until they should take the guest.
    static let failing: [BadTarget] = [
        BadTarget("rejects a device", .script(whenStarted("\(qemu) -device no-such-device")), says: "no-such-device"),
        BadTarget(
            "fails in a rehearsal", .script(whenStarted("\(qemu) -device no-such-device")), says: "no-such-device",
            isRehearsed: true),
        BadTarget("fails late", .script(whenStarted("echo it burns >&2; exit 7")), says: "it burns"),
        BadTarget("fails with a child", .script(whenStarted("\(sleep) & exit 7")), says: ""),
        BadTarget("crashes late", .script(whenStarted("kill -SEGV $$")), says: ""),
        BadTarget("says garbage late", .script(whenStarted("head -c 300000 /dev/urandom >&2; exit 1")), says: ""),
        BadTarget(
            "has other memory", .script(whenStarted("\(qemu) -object memory-backend-ram,id=more,size=16M -m 512M")),
            says: ""),
    ]

    /// Targets that look like QEMU and then hang.
    static let hanging: [BadTarget] = [
        BadTarget("hangs late", .script(whenStarted("exec \(sleep)")), says: ""),
        BadTarget("waits for a child", .script(whenStarted("\(sleep); exit 1")), says: ""),
        BadTarget(
            "has much to say",
            .script(whenStarted("head -c 20000000 /dev/zero >&2; printf '\\nat last' >&2; \(sleep)")),
            says: "at last"),
    ]

    /// A sleep with a duration that no other program uses.
    static let sleep = "sleep 86\(UInt32.random(in: 100...999))"

    /// Answers the first query as QEMU does.
    private static let lie = "[ \"$1\" = --version ] && echo QEMU emulator version 9.9.9 && exit 0"
    private static let qemu = "exec \(Live.qemu7) \"$@\""

    /// A wrapper that must be kept because it changes the environment; it misbehaves only when it should take a guest.
    private static func whenStarted(_ script: String) -> String {
        """
        export HYPERFRESH_TEST_WRAPPER=1
        case " $* " in *" -incoming "*) \(script) ;; esac
        \(qemu)
        """
    }
}
