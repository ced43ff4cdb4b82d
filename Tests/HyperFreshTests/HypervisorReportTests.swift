import JSON
import StackFile
import Testing

@testable import HyperFresh
import VirtualMachines

/// The JSON report of a hypervisor's refresh agrees with the exit status.
@Suite struct HypervisorReportTests {
    @Test(arguments: RefreshOutcome.allCases) func theExitStatusIsTheSameInJSON(outcome: RefreshOutcome) {
        var report = HypervisorReport(.hypervisor, named: "alpha")
        report.outcome = outcome
        #expect(report.json["exit_code"] == .integer(Int64(report.exitCode)))
        #expect(report.json["outcome"] == .string(outcome.rawValue))
        #expect(report.json["type"] == "result")
        #expect(report.json["operation"] == "refresh hypervisor")
        #expect(HypervisorReport(.os, named: "beta").json["operation"] == "refresh os")
        #expect(report.json["error"] == nil)
    }

    @Test func aHypervisorThatIsNotThereIsAUsageErrorInBoth() {
        var report = HypervisorReport(.hypervisor, named: "nobody")
        report.outcome = .blocked
        report.failure = HyperFreshError("there is none", remedy: "ps", exitCode: HyperFreshError.usage)
        #expect(report.exitCode == 64)
        #expect(report.json["exit_code"] == 64)
        #expect(report.json["error"]?["message"] == "there is none")
    }

    @Test func everyPhaseIsTold() {
        for phase in Phase.allCases {
            let began = Progress<HypervisorReport>.event(.began(phase)).json
            #expect(began["phase"] == .string(phase.rawValue))
            #expect(began["event"] == "began")
            let timing = PhaseTiming(phase: phase, milliseconds: 1.5)
            let ended = Progress<HypervisorReport>.event(.ended(timing)).json
            #expect(ended["event"] == "ended")
            #expect(ended["ms"] == 1.5)
        }
    }

    @Test func aGuestsEventsCarryItsName() {
        let json = Progress<HypervisorReport>.guest("web", .began(.launch)).json
        #expect(json["type"] == "guest")
        #expect(json["guest"] == "web")
        #expect(json["progress"]?["phase"] == "launch")
    }

    @Test func instancesAreNamedWithWhatRunsInThem() {
        var record = Sample.record("1f3c")
        #expect(InstanceReport(record).json == ["id": "1f3c", "pid": 4711, "image": "/images/standard"])
        record.kernel = "6.1.0"
        record.qemu = "7.2.22"
        #expect(InstanceReport(record).json["kernel"] == "6.1.0")
        #expect(InstanceReport(record).json["qemu"] == "7.2.22")
    }
}
