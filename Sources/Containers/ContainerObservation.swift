/// What is seen of a container in one OS VM.
public enum ContainerObservation: String, Sendable, Hashable {
    /// It has no process there.
    case gone
    /// Its processes run.
    case running
    /// Its processes are frozen, as before they are moved.
    case frozen
    /// Processes of it are stopped, as they are restored.
    case stopped
    /// Its processes are being restored.
    case arriving
}
