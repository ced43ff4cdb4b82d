internal import Glibc
internal import JSON
internal import Linux

extension QMPConnection {
    /// Returns the error with the socket, and with the command if it is known.
    func located(_ error: QMPError, command: JSONValue? = nil) -> QMPError {
        var error = error
        if error.endpoint.isEmpty { error.endpoint = endpoint }
        if let command { error.command = command }
        return error
    }

    /// Returns the error for a caller that waits for a reply when the connection ends.
    func unanswered(_ command: JSONValue?, because reason: QMPError) -> QMPError {
        guard let command else { return located(reason) }
        return QMPError(
            reason.code,
            "no reply to '\(name(of: command))': \(reason.message)",
            endpoint: reason.endpoint.isEmpty ? endpoint : reason.endpoint,
            command: command,
            systemError: reason.systemError
        )
    }

    func name(of command: JSONValue?) -> String {
        command?["execute"]?.string ?? command?["exec-oob"]?.string ?? "?"
    }

    func refused(_ refusal: QMPError.Refusal, command: JSONValue?) -> QMPError {
        QMPError(
            .refused,
            "QEMU refused '\(name(of: command))': \(refusal.text) (\(refusal.errorClass))",
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
