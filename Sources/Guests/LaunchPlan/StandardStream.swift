/// Where a standard stream of the new QEMU goes.
public enum StandardStream: Sendable, Hashable {
    /// To the same place as this descriptor of the old process.
    case oldProcess(Int32)
    /// To this file, opened for append and created if missing; a path may be relative to the working directory.
    case append(path: String)
}
