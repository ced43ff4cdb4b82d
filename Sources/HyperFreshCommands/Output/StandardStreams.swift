import Glibc

/// Standard input, output and error.
enum StandardStreams {
    /// Opens `/dev/null` in the place of those that whoever started us has closed.
    ///
    /// Otherwise the next monitor or record to be opened becomes standard output, and what we print is written to it.
    static func complete() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0 {
            // The lowest free number is given out, which is this one.
            let opened = open("/dev/null", O_RDWR)
            if opened >= 0, opened != number { close(opened) }
        }
    }
}
