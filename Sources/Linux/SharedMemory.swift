internal import CLinux
internal import Glibc

/// An anonymous file in memory (memfd_create(2)) that another process can map.
public final class SharedMemory: Sendable {
    private let descriptor: Descriptor
    private let size: UInt64

    /// Creates a file that consists of holes.
    ///
    /// - Parameter size: the size in bytes.
    /// - Throws: `SystemError` from `memfd_create` or `ftruncate`.
    public init(size: UInt64) throws(SystemError) {
        let descriptor = Descriptor(adopting: try retrying("memfd_create", "memory") { hf_memfd_create("hyperfresh") })
        let number = descriptor.number
        _ = try retrying("ftruncate", "memory") { ftruncate(number, off_t(clamping: size)) }
        self.descriptor = descriptor
        self.size = size
    }

    /// The descriptor's number, for passing it on; this object keeps ownership.
    public var number: Int32 { descriptor.number }

    /// Writes bytes at an offset.
    ///
    /// - Throws: `SystemError` from `pwrite`.
    public func write(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
        let count = pwrite(descriptor.number, bytes, bytes.count, off_t(clamping: offset))
        guard count == bytes.count else { throw .last("pwrite", "memory") }
    }

    /// Reads bytes at an offset; returns fewer at the end.
    ///
    /// - Throws: `SystemError` from `pread`.
    public func read(at offset: UInt64, count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor.number, &bytes, count, off_t(clamping: offset))
        guard got >= 0 else { throw .last("pread", "memory") }
        return Array(bytes.prefix(got))
    }

    /// Returns the pages that are not holes.
    ///
    /// - Parameter page: the page size in bytes.
    /// - Returns: the offsets of the pages, ascending.
    /// - Throws: `SystemError` from `lseek`.
    public func writtenPages(of page: UInt64) throws(SystemError) -> [UInt64] {
        var pages: [UInt64] = []
        var end: off_t = 0
        while true {
            // SEEK_DATA and SEEK_HOLE, see lseek(2).
            let start = lseek(descriptor.number, end, 3)
            if start < 0 {
                // ENXIO: only a hole up to the end.
                if errno == ENXIO { return pages }
                throw .last("lseek", "memory")
            }
            end = lseek(descriptor.number, start, 4)
            guard end >= 0 else { throw .last("lseek", "memory") }
            pages += stride(from: UInt64(start) / page * page, to: UInt64(end), by: UInt64.Stride(page))
        }
    }
}
