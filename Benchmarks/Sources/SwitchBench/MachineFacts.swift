import Foundation
import Glibc
import Linux

/// The machine on which something was measured.
struct MachineFacts: Codable, Sendable {
    let cpu: String
    let cores: Int
    let memoryGiB: Int
    let kernel: String
    let distribution: String
    let qemu: String
    /// The QEMU for pre-copy migration; nil if that was not measured.
    let precopyQEMU: String?
    /// Whether it is itself a virtual machine.
    let isVirtual: Bool

    init(tools: Tools, scratch: Scratch) throws {
        try self.init(qemu: tools.qemu, precopyQEMU: tools.precopyQEMU, scratch: scratch)
    }

    init(qemu: String, precopyQEMU: String? = nil, scratch: Scratch) throws {
        let information = try Self.read("/proc/cpuinfo")
        cpu = Self.value(of: "model name", in: information, separator: ":") ?? "unknown"
        isVirtual =
            Self.value(of: "flags", in: information, separator: ":")?.split(separator: " ").contains("hypervisor")
            ?? false
        cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let pages = Int(sysconf(Int32(_SC_PHYS_PAGES)))
        memoryGiB = Int((Double(pages) * 4096 / Double(1 << 30)).rounded())
        kernel = try Self.read("/proc/sys/kernel/osrelease").trimmingCharacters(in: .whitespacesAndNewlines)
        distribution =
            Self.value(of: "PRETTY_NAME", in: try Self.read("/etc/os-release"), separator: "=")?
            .trimmingCharacters(in: ["\""]) ?? "unknown"
        self.qemu = try Self.version(of: qemu, scratch: scratch)
        self.precopyQEMU = try precopyQEMU.map { try Self.version(of: $0, scratch: scratch) }
    }

    /// Returns the one-minute load average.
    static func load() -> Double {
        var averages = [0.0]
        return getloadavg(&averages, 1) == 1 ? averages[0] : 0
    }

    /// Whether this host's KVM supports nesting.
    static var canNest: Bool {
        ["kvm_intel", "kvm_amd"].contains { module in
            let text = try? String(contentsOfFile: "/sys/module/\(module)/parameters/nested", encoding: .utf8)
            return ["Y", "1"].contains(text?.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }

    /// Cores and memory, for a document.
    var hardware: String {
        "\(cores) cores of \(cpu)\(isVirtual ? " (a virtual machine itself)" : ""), \(memoryGiB) GiB of memory"
    }

    private static func version(of binary: String, scratch: Scratch) throws -> String {
        let words = try ChildProcess(executable: binary, arguments: ["--version"]).run(in: scratch).output
        return words.split(separator: "\n").first.map { line in
            line.replacingOccurrences(of: "QEMU emulator version ", with: "")
        } ?? "unknown"
    }

    private static func read(_ path: String) throws -> String {
        String(decoding: try Files.readAll(path), as: UTF8.self)
    }

    private static func value(of key: String, in text: String, separator: Character) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            guard let index = line.firstIndex(of: separator) else { continue }
            return line[line.index(after: index)...].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}
