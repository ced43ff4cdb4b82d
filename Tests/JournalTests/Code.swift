import Journal

/// Returns the error code with which `body` fails; nil if it succeeds.
func code(_ body: () throws -> Void) -> JournalError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? JournalError)?.code
    }
}
