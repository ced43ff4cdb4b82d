internal import CLinux

/// The time stamp counter of this host's CPUs (RDTSC).
public enum TimeStampCounter {
    /// Measures its frequency in kHz against the monotonic clock; takes 50 ms and is accurate to some hundredths of a
    /// percent.
    ///
    /// - Returns: the frequency; nil if there is no such counter.
    public static func measureKilohertz() -> Int? {
        let rate = Int(hf_tsc_kilohertz())
        return rate > 0 ? rate : nil
    }
}
