import Glibc
import JSON
import Linux
import Testing

@testable import Guests
@testable import QMP

@Suite("Preflight: names that lead elsewhere (name-leads-elsewhere)")
struct NameTests {
    private func node(_ file: String, driver: String = "file", readOnly: Bool = false) throws -> BlockNode {
        try BlockNode(
            from: QMPReply(
                [
                    "drv": .string(driver), "file": .string(file), "ro": .bool(readOnly),
                    "image": ["virtual-size": 512], "cache": ["direct": false, "writeback": true, "no-flush": false],
                ], to: "query-named-block-nodes"))
    }

    @Test("What has a name, and what is exempt")
    func images() throws {
        let nodes = try [
            node("/a.qcow2", driver: "qcow2"), node("/a.qcow2"), node("/a.qcow2"), node("/dev/fdset/3"),
            node("/usr/share/OVMF/OVMF_CODE.fd", readOnly: true), node("/opt/code.fd", readOnly: true),
            node("/opt/vars.fd"), node("/iso", readOnly: true), node("nbd://x", driver: "nbd"),
            node("json:{\"driver\": \"file\", \"filename\": \"/j\"}"), node("/dev/vg/lv", driver: "host_device"),
        ]
        let images = ImageNames.images(nodes, firmware: ["/opt/code.fd", "/opt/vars.fd"])
        #expect(images.map(\.path) == ["/a.qcow2", "/opt/vars.fd", "/iso", "/j", "/dev/vg/lv"])
        #expect(images.filter(\.isReadOnly).map(\.path) == ["/iso"])
    }

    @Test("A file that was replaced, removed, or is a link to the same")
    func strays() throws {
        let folder = try RealFolder()
        let path = folder.file("disk")
        try Files.replaceAtomically(path, bytes: [1, 2, 3])
        let open = try Descriptor.open(path, flags: O_RDWR)
        var description = Sample.description()
        description.blockNodes = [try node(path)]
        var process = Sample.process()
        process.identity = try #require(ProcessIdentity.current(of: getpid()))
        let names = ImageNames(of: process, description)
        #expect(try names.strays(openBy: [getpid()]) == [])
        #expect(rename(path, folder.file("away")) == 0)
        #expect(try names.strays(openBy: [getpid()]).first?.contains("no longer exists") == true)
        #expect(symlink(folder.file("away"), path) == 0)
        #expect(try names.strays(openBy: [getpid()]) == [])
        unlink(path)
        try Files.replaceAtomically(path, bytes: [1, 2, 3])
        #expect(try names.strays(openBy: [getpid()]).first?.contains("another file open") == true)
        _ = consume open
    }
}
