internal import CLinux
internal import Glibc

extension Files {
    /// Gives back the memory or disk space of a part of a file, which reads as zeros then; its size stays.
    ///
    /// - Parameters:
    ///   - range: Bytes of the file.
    ///   - file: Open for writing, on a file system that knows holes.
    ///   - name: How errors call the file.
    /// - Throws: `SystemError` from `fallocate`.
    public static func punchHole(
        _ range: Range<Int64>, in file: borrowing Descriptor, name: String
    ) throws(SystemError) {
        guard hf_punch_hole(file.number, range.lowerBound, Int64(range.count)) == 0 else {
            throw SystemError(operation: "fallocate", subject: name, code: errno)
        }
    }

    /// Writes bytes into a file through a mapping, which is the only way into a file on a hugetlbfs: write(2) is refused there.
    ///
    /// - Parameters:
    ///   - bytes: what to write; they lie within the file and within what is mapped.
    ///   - file: open for reading and writing.
    ///   - offset: where, in bytes.
    ///   - mapped: how many bytes from the file's begin are mapped; a multiple of the file system's page size.
    ///   - name: how errors call the file.
    /// - Throws: `SystemError` from `mmap`; EFBIG when the bytes do not lie within what is mapped.
    public static func writeMapped(
        _ bytes: [UInt8], to file: borrowing Descriptor, at offset: Int, mapped: Int, name: String
    ) throws(SystemError) {
        guard offset >= 0, offset <= mapped - bytes.count else {
            throw SystemError(operation: "mmap", subject: name, code: EFBIG)
        }
        let memory = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0)
        guard let memory, memory != MAP_FAILED else { throw SystemError.last("mmap", name) }
        defer { munmap(memory, mapped) }
        memory.advanced(by: offset).copyMemory(from: bytes, byteCount: bytes.count)
    }
}
