import Containers
import Testing

@Suite struct StepTimesTests {
    @Test func eachStepIsTimedFromTheOneBefore() {
        let times = StepTimes("step begin 12.30\nwords of a program\nstep freeze 12.34\nstep dump 12.90\n")
        #expect(times.steps.map(\.name) == ["freeze", "dump"])
        #expect(times.steps.map(\.milliseconds) == [40, 560])
    }

    @Test(arguments: ["", "step", "step begin", "step begin x\nstep end y", "begin 1.0"])
    func whatIsNoStepIsSkipped(text: String) {
        #expect(StepTimes(text).steps.isEmpty)
    }
}
