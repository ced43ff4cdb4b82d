import CanaryTesting
import Foundation

/// Refreshes one guest again and again, to each QEMU in turn, and counts after each time.
struct SoakRun {
    /// The first one has the guest already.
    let qemus: [String]
    let hyperfresh: String
    let refreshes: Int
    /// After one of so many refreshes the guest's next report is waited for.
    let reportEvery: Int
    let scratch: Scratch

    func run(_ guest: SoakGuest, into results: inout SoakResults) async throws {
        let count = SoakCount(guest: guest, scratch: scratch)
        for number in 1...refreshes {
            // So that refreshes do not always fall into the same part of the guest's second.
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
