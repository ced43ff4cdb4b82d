internal import Glibc
internal import Linux

/// Reaching a server's socket without holding up the caller's thread.
enum Dialing {
    /// Connects to a socket that a process which has just been started is about to open.
    ///
    /// QEMU's socket is there a moment before it is listened at: both are waited for.
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
            // The server's queue is full: only then there is something to wait for.
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
                (.busy, "other clients wait for this monitor already, which serves one at a time; close them")
            case ECONNREFUSED:
                (.system, "nobody listens at this socket any more: the process that made it is gone")
            case ENOENT:
                (.system, "there is no such socket")
            case EACCES, EPERM:
                (.system, "the socket is not for this user; run as the user of the QEMU, or as root")
            case EPROTOTYPE:
                (.notQMP, "the socket is not of the stream type")
            default:
                (.system, "the socket cannot be reached")
            }
        return QMPError(code, "\(what) (\(error))", endpoint: path, systemError: error)
    }
}
