@testable import Linux

/// Returns the error number with which `body` fails; nil if it succeeds.
func code(_ body: () throws -> Void) -> Int32? {
    do {
        try body()
        return nil
    } catch {
        return (error as? SystemError)?.code
    }
}
