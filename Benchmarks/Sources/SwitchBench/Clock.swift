import Glibc

/// The host's clocks, without conversion overhead.
enum Clock {
    /// Returns nanoseconds of CLOCK_MONOTONIC.
    static func monotonic() -> Int64 { now(CLOCK_MONOTONIC) }

    /// Returns microseconds since 1970, the clock of QEMU's event timestamps and of the kernel's packet timestamps.
    static func wallMicroseconds() -> Int64 { now(CLOCK_REALTIME) / 1000 }

    static func sleep(milliseconds: Int) {
        var wanted = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        var rest = timespec()
        while nanosleep(&wanted, &rest) != 0 && errno == EINTR { wanted = rest }
    }

    private static func now(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
