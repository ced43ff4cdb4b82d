internal import Glibc
internal import Linux

/// Connects to a server's socket without blocking the caller's thread.
enum Dialing {
    /// Connects to a socket that a newly started process is about to open.
    ///
    /// QEMU's socket exists a moment before QEMU listens on it: the call waits for both.
    static func connect(
        _ path: String,
        within patience: Duration,
        appearingWithin appearance: Duration
    ) async throws(QMPError) -> UnixStream {
        let end = ContinuousClock.now + appearance
        while true {
            do throws(QMPError) {
                return try await connect(path, within: patience)
            } catch {
                let code = error.systemError?.code
                guard code == ENOENT || code == ECONNREFUSED, ContinuousClock.now < end else { throw error }
            }
            guard (try? await Task.sleep(for: .milliseconds(2))) != nil else {
                throw QMPError(.cancelled, "the wait for the socket was cancelled", endpoint: path)
            }
        }
    }

    static func connect(_ path: String, within patience: Duration) async throws(QMPError) -> UnixStream {
        do throws(SystemError) {
            return try UnixStream.connect(path: path, within: .zero)
        } catch {
            // The server's queue is full; in no other case is there anything to wait for.
            guard error.code == EAGAIN || error.code == ETIMEDOUT else { throw failure(error, path) }
        }
        let outcome: Result<UnixStream, SystemError> = await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread(name: "qmp-connect") {
                    continuation.resume(
                        returning: Result { () throws(SystemError) in
                            try UnixStream.connect(path: path, within: patience)
                        })
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        do throws(SystemError) {
            return try outcome.get()
        } catch {
            throw failure(error, path)
        }
    }

    private static func failure(_ error: SystemError, _ path: String) -> QMPError {
        let (code, what): (QMPError.Code, String) =
            switch error.code {
            case EAGAIN, ETIMEDOUT:
                (.busy, "other clients already wait for this monitor, which serves one at a time; close them")
            case ECONNREFUSED:
                (.system, "no process listens on this socket: the one that created it has ended")
            case ENOENT:
                (.system, "the socket does not exist")
            case EACCES, EPERM:
                (.system, "this user has no access to the socket; run as the user of the QEMU, or as root")
            case EPROTOTYPE:
                (.notQMP, "the socket is not a stream socket")
            default:
                (.system, "cannot connect to the socket")
            }
        return QMPError(code, "\(what) (\(error))", endpoint: path, systemError: error)
    }
}
