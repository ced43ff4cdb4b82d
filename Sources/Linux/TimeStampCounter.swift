internal import CLinux

/// The time stamp counter of this host's CPUs (RDTSC).
public enum TimeStampCounter {
    /// Its rate in kHz, measured against the monotonic clock in 50 ms, to some hundredths of a percent.
    ///
    /// - Returns: the rate; nil where there is no such counter.
    public static func measureKilohertz() -> Int? {
        let rate = Int(hf_tsc_kilohertz())
        return rate > 0 ? rate : nil
    }
}
