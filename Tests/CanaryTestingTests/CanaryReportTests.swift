import CanaryTesting
import Testing

@Suite struct CanaryReportTests {
    private static let first = #"{"canary":1,"up_ms":200,"seq":1,"pages":8192,"anomalies":0,"anomaly":""}"#

    @Test func aLineOfTheCanaryIsAReport() throws {
        let report = try #require(CanaryReport(line: Self.first))
        #expect(report.sequence == 1)
        #expect(report.pages == 8192)
        #expect(report.anomalies == 0)
    }

    /// A reset in the middle of a line would otherwise hide the first report of the next boot.
    @Test(arguments: [#"{"#, #"{"canary":1,"up_ms":58"#, #"{"canary":1,"disks":[{"name":"vda","rec"#])
    func aReportAfterOneThatWasCutOffIsRead(cutOff: String) throws {
        let report = try #require(CanaryReport(line: cutOff + Self.first))
        #expect(report.sequence == 1)
    }

    @Test(arguments: ["", "{", "[    0.000000] Linux version 6.1", #"{"canary":1,"seq":2"#, #"{"seq":2}"#])
    func anyOtherLineIsNone(line: String) {
        #expect(CanaryReport(line: line) == nil)
    }
}
