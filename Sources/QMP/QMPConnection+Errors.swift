internal import Glibc
internal import JSON
internal import Linux

extension QMPConnection {
    /// The error with the socket, and the command where it is known.
    func located(_ error: QMPError, command: JSONValue? = nil) -> QMPError {
        var error = error
        if error.endpoint.isEmpty { error.endpoint = endpoint }
        if let command { error.command = command }
        return error
    }

    func refused(_ refusal: QMPError.Refusal, command: JSONValue?) -> QMPError {
        let name = command?["execute"]?.string ?? command?["exec-oob"]?.string ?? "?"
        return QMPError(
            .refused,
            "QEMU refused '\(name)': \(refusal.text) (\(refusal.errorClass))",
            endpoint: endpoint,
            command: command,
            refusal: refusal
        )
    }

    func systemError(_ error: SystemError, _ what: String, code: QMPError.Code = .system) -> QMPError {
        QMPError(code, "\(what): \(error)", endpoint: endpoint, systemError: error)
    }
}

extension SystemError {
    var isTimeout: Bool { code == ETIMEDOUT }

    var isPeerGone: Bool { code == EPIPE || code == ECONNRESET || code == ENOTCONN }
}
