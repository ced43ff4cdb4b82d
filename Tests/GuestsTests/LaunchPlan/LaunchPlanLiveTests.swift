import Foundation
import Glibc
import Guests
import Linux
import QMP
import Testing

/// Real QEMUs accept planned command lines, twice in a row, while the first QEMU still runs.
///
/// No guest code runs: the first QEMU is started with `-S`, the others wait for a state that never arrives.
@Suite(
    .enabled(if: Files.exists(LiveQEMU.installed.path), "needs QEMU: apt install qemu-system-x86"),
    .serialized
)
struct LaunchPlanLiveTests {
    /// A style of command line; `@` stands for the test's folder.
    struct Style: Sendable, CustomStringConvertible {
        let name: String
        let options: String
        var needsRoot = false
        var monitor = "@/qmp"

        var description: String { name }
    }

    static let machine =
        "-S -nodefaults -display none -machine q35,memory-backend=ram0 -accel tcg -m 64M "
        + "-object memory-backend-file,id=ram0,size=64M,mem-path=@/ram,share=on "
    static let qmp = "-qmp unix:@/qmp,server=on,wait=off "

    static let styles = [
        Style(
            name: "microvm",
            options: "-S -M microvm,memory-backend=m -m 64 -object memory-backend-file,id=m,size=64M,mem-path=@/ram,"
                + "share=on,prealloc=on -nodefaults -no-user-config -display none -serial stdio -qmp-pretty "
                + "unix:@/qmp,server,nowait -drive id=d,if=none,driver=null-co,size=1M "
                + "-device virtio-blk-device,drive=d"
        ),
        Style(
            name: "serial ports",
            options: machine + qmp
                + "-serial unix:@/serial,server,nowait -serial tcp:127.0.0.1:\(port()),server=on,wait=off,nodelay "
                + "-serial file:@/serial.log -serial mon:telnet:127.0.0.1:\(port()),server,nowait "
                + "-debugcon file:@/fw.log -monitor unix:@/hmp,server=on,wait=off -gdb tcp:127.0.0.1:\(port()) -pidfile @/pid "
                + "-chardev socket,id=c0,host=127.0.0.1,port=\(port()),server=on,wait=off,logfile=@/c0.log "
                + "-device virtio-serial -device virtserialport,chardev=c0 -D @/log -d guest_errors"
        ),
        Style(name: "tap", options: machine + qmp + tap("hf\(port())") + tap("hf\(port())"), needsRoot: true),
        Style(
            name: "user network and VNC",
            options: machine + qmp + "-netdev user,id=n0,hostfwd=tcp:127.0.0.1:0-:22 -device e1000,netdev=n0 "
                + "-vnc 127.0.0.1:1200,to=1300 -device VGA"
        ),
        Style(name: "VNC on a unix socket", options: machine + qmp + "-vnc unix:@/vnc,share=ignore -device VGA"),
        Style(
            name: "JSON",
            options: machine
                + #"-chardev socket,id=m,path=@/qmp,server=on,wait=off -mon chardev=m,mode=control "#
                + #"-blockdev {"driver":"null-co","node-name":"n0","size":1048576} "#
                + #"-device {"driver":"virtio-blk-pci","id":"d0","drive":"n0","bus":"pcie.0","addr":"0x5"} "#
                + #"-object {"qom-type":"rng-random","id":"r0","filename":"/dev/urandom"} "#
                + #"-netdev {"type":"user","id":"u0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]} "#
                + #"-device {"driver":"virtio-net-pci","id":"e0","netdev":"u0"}"#
        ),
        Style(name: "-readconfig", options: "-S -display none -readconfig @/vm.cfg"),
        Style(
            name: "-daemonize with relative paths",
            options: machine.replacingOccurrences(of: "@/", with: "") + "-daemonize -pidfile pid "
                + "-qmp unix:qmp,server=on,wait=off -serial file:serial.log"
        ),
        Style(
            name: "-runas, -chroot and -sandbox",
            options: machine + qmp + "-runas nobody -chroot @/root -sandbox on,spawn=deny -pidfile @/pid -no-hpet",
            needsRoot: true
        ),
        Style(
            name: "fd sets",
            options: machine + qmp + "-add-fd fd=9,set=4,opaque=rw -add-fd fd=8,set=4,opaque=ro -drive "
                + "file=/dev/fdset/4,format=raw,if=none,id=d -device virtio-blk-pci,drive=d"),
    ]

    static func tap(_ interface: String) -> String {
        "-netdev tap,id=\(interface),ifname=\(interface),script=no,downscript=no "
            + "-device virtio-net-pci,netdev=\(interface) "
    }

    /// Returns a port that is probably free; QEMU does not report which one it chose for port 0.
    static func port() -> UInt16 { UInt16.random(in: 20_000...32_000) }

    static let config = """
        # a machine
        [machine]
          type = "q35"
          memory-backend = "ram0"
        [memory]
          size = "64M"
        [object "ram0"]
          qom-type = "memory-backend-file"
          mem-path = "@/ram"
          size = "64M"
          share = "on"
          prealloc = "on"
        [chardev "monitor"]
          backend = "socket"
          path = "@/qmp"
          server = "on"
          wait = "off"
        [mon]
          chardev = "monitor"
          mode = "control"
        [device]
          driver = "virtio-balloon-pci"
        [device "rng"]
          driver = "virtio-rng-pci"
        """

    @Test(.timeLimit(.minutes(2)), arguments: styles)
    func newLinesStart(_ style: Style) async throws {
        try await start(style, to: LiveQEMU.installed)
    }

    @Test(
        .timeLimit(.minutes(2)),
        .enabled(if: Files.exists(LiveQEMU.other.path), "needs a second QEMU: scripts/fetch-qemu"),
        arguments: styles
    )
    func newLinesStartInAnotherVersion(_ style: Style) async throws {
        try await start(style, to: LiveQEMU.other)
    }

    private func start(_ style: Style, to target: QEMUBinary) async throws {
        guard !style.needsRoot || getuid() == 0 else { return }
        let folder = try LiveFolder()
        let old = try await first(style, folder)
        let plan = try await old.plan(to: target, id: "00000001")
        let new = try await old.start(plan, target, folder: folder)
        try await expectWaiting(new, plan)
        for case .vncListen(_, let numbers) in plan.followUps { try await listen(new, numbers, of: old, folder) }
        let again = try await new.plan(to: LiveQEMU.installed, id: "00000002")
        #expect(again.followUps.filter(\.isVNC).count == plan.followUps.filter(\.isVNC).count)
        let third = try await new.start(again, LiveQEMU.installed, folder: folder)
        try await expectWaiting(third, again)
        #expect(try await old.client.execute(QueryStatus()).state == .prelaunch)
    }

    private func first(_ style: Style, _ folder: LiveFolder) async throws -> LiveQEMU {
        func placed(_ text: String) -> String { text.replacingOccurrences(of: "@", with: folder.path) }
        try Files.createDirectory(folder.path + "/root", mode: 0o755)
        try placed(Self.config).write(toFile: folder.path + "/vm.cfg", atomically: true, encoding: .utf8)
        let disk = try Descriptor.open(folder.path + "/disk", flags: O_RDWR | O_CREAT)
        _ = ftruncate(disk.number, 1 << 20)
        let readOnly = try Descriptor.open(folder.path + "/disk", flags: O_RDONLY)
        let words = placed(style.options).split(separator: " ").map(String.init)
        return try await LiveQEMU(
            LiveQEMU.installed,
            [LiveQEMU.installed.path] + words,
            folder: folder,
            environment: ["PWD=\(folder.path)"],
            descriptors: [.init(source: disk.number, number: 9), .init(source: readOnly.number, number: 8)],
            monitor: placed(style.monitor)
        )
    }

    /// Checks that the new QEMU waits for a state, and has created its files under the plan's temporary names.
    private func expectWaiting(_ qemu: LiveQEMU, _ plan: LaunchPlan) async throws {
        #expect(try await qemu.client.execute(QueryStatus()).state == .inmigrate)
        for endpoint in plan.endpoints {
            #expect(Files.exists(endpoint.temporary), "\(endpoint)")
            #expect(Files.exists(endpoint.lasting), "\(endpoint)")
        }
    }

    /// Does what the controller does after RESUME: the new VNC server takes over the old one's sockets.
    private func listen(_ new: LiveQEMU, _ numbers: [Int32], of old: LiveQEMU, _ folder: LiveFolder) async throws {
        let handle = try ProcessHandle(old.identity)
        for number in numbers {
            let socket = try handle.descriptor(number)
            try await new.client.execute(GetFD(fdname: "vnc\(number)", descriptor: socket.number))
        }
        let addresses = numbers.map { #"{"type":"fd","str":"vnc\#($0)"}"# }.joined(separator: ",")
        let arguments = try JSONObject.parse(#"{"type":"vnc","addresses":[\#(addresses)]}"#)
        try await new.client.executeRaw("display-update", arguments: arguments)
        #expect(try await VNCServer.query(new.client).first?.listeners.isEmpty == false)
    }
}

extension FollowUp {
    fileprivate var isVNC: Bool {
        if case .vncListen = self { true } else { false }
    }
}
