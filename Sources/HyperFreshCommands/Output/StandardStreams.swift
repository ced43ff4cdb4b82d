import Glibc

/// Standard input, output and error.
enum StandardStreams {
    /// Opens `/dev/null` for each standard stream that is closed at startup.
    ///
    /// Otherwise the next file or socket to be opened would get that descriptor, and our output would go into it.
    static func complete() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0 {
            // open() returns the lowest free descriptor, which is this one.
            let opened = open("/dev/null", O_RDWR)
            if opened >= 0, opened != number { close(opened) }
        }
    }
}
