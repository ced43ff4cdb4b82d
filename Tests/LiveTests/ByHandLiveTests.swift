import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// A guest with every kind of device that an administrator may add, some of them hot-plugged.
    @Suite(.enabled(if: Live.hasSecondQEMU, Live.howToGetReady))
    struct ByHandLiveTests {
        private static let canMakeTaps = geteuid() == 0 && Files.exists("/dev/net/tun")

        @Test(.enabled(if: canMakeTaps, "needs root and /dev/net/tun for a tap"))
        func everythingFollowsThroughThreeRefreshesAndTwoVersions() async throws {
            try await withTaps([("hfcanary7", "10.231.78.1/29"), ("hfcanary8", "10.231.79.1/29")]) {
                var options = CanaryGuest.Options()
                options.disks = [.init(mebibytes: 64, format: .qcow2)]
                options.kernelWords = ["canary.ip=10.231.78.2/29", "canary.ip1=10.231.79.2/29"]
                options.arguments = [
                    "-netdev", "tap,id=net0,ifname=hfcanary7,script=no,downscript=no",
                    "-device", "virtio-net-pci,netdev=net0", "-vnc", "127.0.0.1:77",
                    "-serial", "unix:console.sock,server=on,wait=off", "-D", "qemu.log",
                    "-device", "pcie-root-port,id=port1,chassis=1", "-device", "pcie-root-port,id=port2,chassis=2",
                ]
                try await LiveGuest.run("by-hand", options: options) { guest in
                    try await plugIn(guest)
                    let echo = try EchoSession(to: "10.231.78.2")
                    defer { echo.stop() }
                    for target in [Live.qemu10, Live.qemu7, Live.qemu7] {
                        try await refreshAndLook(guest, to: target, echo: echo)
                    }
                    try expectEndpoints(of: guest)
                }
            }
        }

        /// Plugs a disk and a network card into the running machine with `device_add`.
        private func plugIn(_ guest: LiveGuest) async throws {
            let image = "\(guest.tools)/plugged.qcow2"
            try await CanaryDisk(mebibytes: 64, format: .qcow2).create(at: image)
            try await guest.ask(
                BlockdevAdd([
                    "driver": "qcow2", "node-name": "plugged", "file": ["driver": "file", "filename": .string(image)],
                ]))
            try await guest.ask(
                DeviceAdd(["driver": "virtio-blk-pci", "id": "disk1", "drive": "plugged", "bus": "port1"]))
            try await guest.ask(
                NetdevAdd(["type": "tap", "id": "net1", "ifname": "hfcanary8", "script": "no", "downscript": "no"]))
            try await guest.ask(
                DeviceAdd(["driver": "virtio-net-pci", "id": "nic1", "netdev": "net1", "bus": "port2"]))
            _ = try await guest.canary.report { report in
                report.recordsByDisk.count == 2 && report.recordsByDisk.values.allSatisfy { $0 > 0 }
                    && report.addresses.count == 2
            }
        }

        private func refreshAndLook(_ guest: LiveGuest, to target: String, echo: EchoSession) async throws {
            let lines = echo.soFar.lines
            let records = guest.canary.reports.last?.recordsByDisk ?? [:]
            let report = try await guest.refresh(to: target)
            try #require(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
            #expect(guest.canary.pid == report.new?.pid)
            let after = try await guest.canary.report { now in
                records.allSatisfy { disk, count in now.recordsByDisk[disk, default: 0] > count + 1 }
            }
            #expect(after.anomalies == 0, "\(after.anomaly)")
            try await Task.sleep(for: .seconds(1))
            #expect(echo.soFar.end == nil)
            #expect(echo.soFar.lines > lines)
            // The hot-plugged card carries traffic, too.
            let second = try EchoSession(to: "10.231.79.2")
            defer { second.stop() }
            try await Task.sleep(for: .seconds(1))
            #expect(second.soFar.lines > 0 && second.soFar.end == nil)
        }

        private func expectEndpoints(of guest: LiveGuest) throws {
            #expect(guest.canary.pid.map { Files.exists("/proc/\($0)") } == true)
            #expect(guest.processes == [guest.canary.pid].compactMap(\.self))
            _ = try UnixStream.connect(path: "\(guest.canary.files.directory)/console.sock")
            let names = try ProcFS.names(inFolder: guest.canary.files.directory)
            #expect(names.filter { $0.contains(".hf-") } == [])
            let listeners = try ProcFS.tcpListeners()
            #expect(listeners.contains { $0.port == 5977 })
        }

        private func withTaps(_ taps: [(name: String, address: String)], _ body: () async throws -> Void) async throws {
            for tap in taps {
                for words in [
                    ["tuntap", "add", tap.name, "mode", "tap"], ["address", "add", tap.address, "dev", tap.name],
                    ["link", "set", tap.name, "up"],
                ] {
                    let result = try await ChildProgram.run("ip", words)
                    try #require(result.ending == .exited(0), "\(result)")
                }
            }
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            for tap in taps { _ = try await ChildProgram.run("ip", ["link", "delete", tap.name]) }
            try outcome.get()
        }
    }
}
