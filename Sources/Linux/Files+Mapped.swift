internal import CLinux
internal import Glibc

extension Files {
    /// Frees the memory or disk space of a part of a file, which then reads as zeros; the file's size does not change.
    ///
    /// - Parameters:
    ///   - range: The bytes to free.
    ///   - file: The file, open for writing, on a file system that supports holes.
    ///   - name: The file's name in errors.
    public static func punchHole(
        _ range: Range<Int64>, in file: borrowing Descriptor, name: String
    ) throws(SystemError) {
        guard hf_punch_hole(file.number, range.lowerBound, Int64(range.count)) == 0 else {
            throw SystemError(operation: "fallocate", subject: name, code: errno)
        }
    }

    /// Writes bytes into a file through a mapping: a hugetlbfs refuses write(2).
    ///
    /// - Parameters:
    ///   - bytes: the bytes to write; they must fit into the file and into the mapped part.
    ///   - file: the file, open for reading and writing.
    ///   - offset: the offset in bytes.
    ///   - mapped: the number of bytes to map from the file's start; a multiple of the file system's page size.
    ///   - name: the file's name in errors.
    /// - Throws: `SystemError` from `mmap`; EFBIG if the bytes do not fit into the mapped part.
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
