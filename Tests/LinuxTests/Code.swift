@testable import Linux

/// The error number with which something fails; nil when it does not.
func code(_ body: () throws -> Void) -> Int32? {
    do {
        try body()
        return nil
    } catch {
        return (error as? SystemError)?.code
    }
}
