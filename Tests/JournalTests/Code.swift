import Journal

/// What kind of error something fails with; nil when it does not.
func code(_ body: () throws -> Void) -> JournalError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? JournalError)?.code
    }
}
