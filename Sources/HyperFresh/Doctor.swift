import Guests

/// What this host offers and lacks for refreshing guests.
enum Doctor {
    static func examine(_ host: Host) async -> [Finding] { [] }
}
