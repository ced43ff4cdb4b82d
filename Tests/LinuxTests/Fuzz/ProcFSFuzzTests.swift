import TestTools
import Testing

@testable import Linux

/// Feeds mutated /proc files to their parsers: any user can choose the names of processes, files and sockets in them.
@Suite struct ProcFSFuzzTests {
    private static let corpus = FuzzCorpus(
        inputs: texts.map { Array($0.utf8) },
        tokens: [
            "(", ")", " (x) S 1 ", " (deleted)", "\\012", "Uid:\t", "Groups:\t", "CapEff:\t", "Max open files ",
            "unlimited", "0::/", "00010000", "0A", ": ", "rw-s", "r--p 00000000 00:1a 7 ", "@abstract",
            "0000000000000000: 00000002 00000000 00010000 0001 01 ",
        ].map { Array($0.utf8) }, largestInput: 8000)

    private static let texts = [
        "42 (a) b) (c) R 1 2 3 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 17 0 123456 1 2 3\n",
        "42 (\n) S -1 -2 -3 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 17 0 18446744073709551615",
        "Name:\tx\nUmask:\t0022\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t4 24 27 \nCapInh:\t0000000000000000\n"
            + "CapPrm:\t000001ffffffffff\nCapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\nCapAmb:\t0\n"
            + "NoNewPrivs:\t1\nSeccomp:\t2\n",
        "7f0000000000-7f0040000000 rw-s 00200000 00:1a 1234  /dev/shm/a b\\012c (deleted)\n"
            + "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]\n",
        "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024   unlimited   files\n",
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
            + "0000000000000000: 00000002 00000000 00010000 0001 01   123 /run/a\n/b c\n"
            + "0000000000000000: 00000003 00000000 00000000 0001 03   124\n",
        "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 1 0\n",
    ]

    @Test func readersHoldTheirProperties() async throws {
        #expect(await Fuzz("proc", Self.corpus).run { input, _ in try Self.check(input) } == nil)
    }

    private static func check(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        if let status = ProcessStatus(parsing: input), status.command.utf8.count > 3 * input.count + 3 {
            throw Fuzz.Violation("the name is longer than the file")
        }
        if let credentials = ProcessCredentials(parsing: text) {
            guard credentials.boundingForExec & ~credentials.bounding == 0 else { throw Fuzz.Violation("more rights") }
            guard credentials.inheritableForExec & ~credentials.inheritable == 0 else { throw Fuzz.Violation("more") }
        }
        for mapping in MemoryMapping.parse(input) {
            guard mapping.length <= .max, mapping.permissions.utf8.count == 4 else {
                throw Fuzz.Violation("\(mapping)")
            }
            _ = (mapping.identity, mapping.isShared)
        }
        for limit in ProcessLimit.parse(text) where !(0...15).contains(limit.resource) {
            throw Fuzz.Violation("a limit that does not exist: \(limit)")
        }
        let sockets = UnixSocketEntry.parse(text)
        guard Set(sockets.map(\.inode)).count == sockets.count else { throw Fuzz.Violation("an inode is there twice") }
        _ = TCPListener.parse(text)
        _ = ExecutableLink(parsing: text)
        _ = ProcFS.unifiedCgroup(in: text)
        guard let words = try? ProcFS.texts(separatedByZero: input, path: "x") else { return }
        guard words.allSatisfy({ !$0.utf8.contains(0) }) else { throw Fuzz.Violation("a zero byte in \(words)") }
    }
}
