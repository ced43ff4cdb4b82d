import Glibc
import Linux
import Synchronization

/// Watches during a cell whether the vCPUs of a guest's two QEMUs run.
///
/// A vCPU of a busy guest uses CPU time whenever it runs: the CPU time of its thread, in nanoseconds, is read more than
/// a hundred times a second. A run shorter than about 10 ms escapes the watcher, but not the canary, whose pages would
/// then differ from what it wrote.
final class SideWatcher: Sendable {
    /// A process that ran the guest between two looks.
    struct Run: Sendable, Hashable {
        let pid: Int32
        /// CLOCK_MONOTONIC, in nanoseconds.
        let from, to: Int64
    }

    private struct State {
        var isEnded = false
        var runs: [Run] = []
        var looks = 0
    }

    private struct Look {
        let time, spent: Int64
        /// The number of consecutive looks that have seen it busy.
        var busy = 0
    }

    private let state = Mutex(State())
    private let processes: @Sendable () -> [Int32]

    /// The interval between two looks, in microseconds.
    private static let interval: UInt32 = 3000
    /// The share of an interval above which a vCPU counts as running; a stopped one stays far below.
    private static let share = 0.3
    /// The number of consecutive looks that make a run: the vCPU threads of a starting QEMU are busy for a moment.
    private static let inARow = 3

    /// - Parameter processes: The QEMUs that have the guest's memory.
    /// - Throws: `SystemError` when no thread can be started.
    init(_ processes: @escaping @Sendable () -> [Int32]) throws {
        self.processes = processes
        try startThread(name: "watcher") { [weak self] in
            var last: [Int32: Look] = [:]
            var pids: [Int32] = []
            for round in 0... {
                guard let self, !self.state.withLock({ $0.isEnded }) else { return }
                // A new QEMU exists long before it may run the guest.
                if round % 16 == 0 { pids = self.processes() }
                self.look(pids, &last)
                usleep(Self.interval)
            }
        }
    }

    private func look(_ pids: [Int32], _ last: inout [Int32: Look]) {
        var runs: [Run] = []
        for pid in pids {
            guard let spent = Self.spent(by: pid) else { continue }
            let now = Self.now()
            var look = Look(time: now, spent: spent)
            if let before = last[pid], Double(spent - before.spent) > Self.share * Double(now - before.time) {
                look.busy = before.busy + 1
                if look.busy >= Self.inARow { runs.append(Run(pid: pid, from: before.time, to: now)) }
            }
            last[pid] = look
        }
        state.withLock { state in
            state.looks += 1
            state.runs += runs
        }
    }

    /// Stops watching.
    ///
    /// - Returns: The runs it saw, earliest first.
    func end() -> (runs: [Run], looks: Int) {
        state.withLock { state in
            state.isEnded = true
            return (state.runs.sorted { $0.from < $1.from }, state.looks)
        }
    }

    /// Returns a run by the first process after a run by another one, if there is one: a refresh moves the guest only
    /// once.
    ///
    /// On a busy host, looks may be far apart, and a single look may see both sides; if both sides keep running, the
    /// next look detects it.
    static func doubleRun(_ runs: [Run]) -> (other: Run, first: Run)? {
        guard let first = runs.first?.pid, let other = runs.first(where: { $0.pid != first }),
            let last = runs.last(where: { $0.pid == first }), last.from >= other.to
        else { return nil }
        return (other, last)
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Returns whether the kernel is ending a thread, by its flags (proc(5); PF_EXITING of linux/sched.h).
    ///
    /// Such a thread never runs the guest again. The last thread of a process frees its memory, which takes some 10 ms
    /// of CPU time.
    private static func isExiting(_ folder: String) -> Bool {
        guard let stat = try? Files.readAll("\(folder)/stat") else { return true }
        let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 6 && UInt32(fields[6]).map { $0 & 0x4 != 0 } == true
    }

    /// Returns the CPU time of a QEMU's vCPU threads in nanoseconds (the first field of schedstat).
    private static func spent(by pid: Int32) -> Int64? {
        guard let threads = try? ProcFS.names(inFolder: "/proc/\(pid)/task") else { return nil }
        var sum: Int64 = 0
        for thread in threads {
            let folder = "/proc/\(pid)/task/\(thread)"
            guard let name = try? Files.readAll("\(folder)/comm"), name.starts(with: Array("CPU ".utf8)),
                let text = try? Files.readAll("\(folder)/schedstat"),
                let time = Int64(String(decoding: text, as: UTF8.self).prefix { $0 != " " }), !isExiting(folder)
            else { continue }
            sum += time
        }
        return sum
    }
}
