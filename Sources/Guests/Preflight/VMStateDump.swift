/// Queries a binary for the device states of a machine type.
enum VMStateDump {
    /// It creates the machine without a guest, which takes a tenth of a second, more on a busy host.
    private static let deadline = Duration.seconds(20)

    /// Runs `BINARY -machine TYPE -dump-vmstate FILE`.
    ///
    /// - Parameters:
    ///   - path: the binary; may be /proc/PID/exe.
    ///   - machineType: a versioned type.
    ///   - environment: variables in addition to our own.
    ///   - user: the user to run it as; nil for ourselves.
    /// - Returns: the states, or a readable reason why there are none.
    static func read(
        _ path: String, machineType: String, environment: [String: String], user: HelperProgram.User? = nil
    ) async -> Result<VMState, VMStateDumpFailure> {
        let program = HelperProgram(
            path: path, arguments: ["-machine", machineType, "-display", "none", "-dump-vmstate", "/dev/stdout"],
            environment: environment, user: user)
        do throws(HelperProgram.Failure) {
            let output = try await program.run(deadline: deadline)
            if let state = VMState(parsing: output.standardOutput) { return .success(state) }
            let said = output.standardError.split(whereSeparator: \.isNewline).last ?? "it wrote no states"
            return .failure(VMStateDumpFailure(reason: String(said)))
        } catch {
            return .failure(VMStateDumpFailure(reason: "\(error)"))
        }
    }
}

/// Why a binary did not report its device states.
struct VMStateDumpFailure: Error {
    let reason: String
}
