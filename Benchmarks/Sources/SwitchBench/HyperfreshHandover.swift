/// A handover by hyperfresh.
enum HyperfreshHandover {
    static func run(_ guest: BenchGuest, tools: Tools, scratch: Scratch) throws -> Handover {
        let refresh = try GuestRefresh(of: guest.monitorPath, by: tools.hyperfresh, in: scratch)
        guest.process = refresh.successor
        return refresh.handover
    }
}
