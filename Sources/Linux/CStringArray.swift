internal import Glibc

/// A list of C strings that ends with a null pointer, as execve(2) expects.
struct CStringArray: ~Copyable {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    /// - Throws: `SystemError` EINVAL if a string contains a zero byte, which would silently truncate it.
    init(_ strings: [String], subject: String) throws(SystemError) {
        if strings.contains(where: { $0.utf8.contains(0) }) {
            throw SystemError(
                operation: "execve", subject: subject, code: EINVAL, detail: "a string contains a zero byte")
        }
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}

func withOptionalCString<Result>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let string else { return body(nil) }
    return string.withCString(body)
}
