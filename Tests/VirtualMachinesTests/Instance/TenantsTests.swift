@testable import StackFile
import Testing
@testable import VirtualMachines

extension VirtualMachinesTests {
    /// Parsing a hypervisor's report of what is active in it.
    @Suite struct TenantsTests {
        @Test func allOfThemAreRead() {
            let tenants = Tenants(parsing: "guest web\nguest db\ncontainer redis\nstranger 4711\nend\n")
            #expect(tenants == Tenants(guests: ["web", "db"], containers: ["redis"], strangers: [4711]))
            #expect(
                tenants?.words(butFor: ["db"]) == [
                    "guest web", "container redis", "a QEMU (pid 4711 in it) that hyperfresh did not start",
                ])
            #expect(Tenants(parsing: "end\n")?.isEmpty == true)
        }

        /// A truncated answer would look like an empty hypervisor, which would then be ended.
        @Test(arguments: [
            "", "guest web\n", "guest web\nguest ", "web\nend\n", "guest a b\nend\n", "stranger x\nend\n",
            "end\nguest web",
        ])
        func whatIsCutShortIsNoAnswer(text: String) {
            #expect(Tenants(parsing: text) == nil)
        }
    }
}
