import CanaryTesting
import Foundation

/// Refreshes one guest repeatedly, to each QEMU in turn, and counts after each refresh.
struct SoakRun {
    /// The QEMU binaries; the first one already runs the guest.
    let qemus: [String]
    let hyperfresh: String
    let refreshes: Int
    /// Waits for the guest's next report after every so many refreshes.
    let reportEvery: Int
    let scratch: Scratch

    func run(_ guest: SoakGuest, into results: inout SoakResults) async throws {
        let count = SoakCount(guest: guest, scratch: scratch)
        for number in 1...refreshes {
            // Varies the phase between refreshes and the guest's reports, which come once a second.
            Clock.sleep(milliseconds: Int.random(in: 0...100))
            let refresh = try guest.refresh(to: qemus[number % qemus.count], by: hyperfresh, in: scratch)
            let report = try await guest.prove(reports: number % reportEvery == 0 || number == refreshes)
            let echo = guest.echo.soFar
            let handover = refresh.handover
            results.add(
                [
                    .version: results.place(of: refresh.version),
                    .switchMicroseconds: handover.switchMicroseconds,
                    .controllerMicroseconds: handover.controllerMicroseconds ?? 0,
                    .wholeMicroseconds: handover.wholeMicroseconds,
                    .controllerKibibytes: refresh.peakKibibytes ?? 0,
                    .pagesVerified: report.pagesVerified,
                    .recordsVerified: report.recordsVerified,
                    .answers: echo.lines,
                ].merging(try count.take()) { $1 })
            results.longestAnswerMicroseconds = echo.longestWait
            tell(number, refresh)
        }
    }

    private func tell(_ number: Int, _ refresh: GuestRefresh) {
        let words =
            "refresh \(number) of \(refreshes), to QEMU \(refresh.version): "
            + "\(Figures.milliseconds(refresh.handover.switchMicroseconds)) ms"
        if number % 100 == 0 { Progress.say(words) } else { Progress.show(words) }
    }
}
