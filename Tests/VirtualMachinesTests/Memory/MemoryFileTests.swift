@testable import StackFile
import Testing
@testable import VirtualMachines

extension VirtualMachinesTests {
    /// Checks memory files against what Linux accepts.
    @Suite struct MemoryFileTests {
        @Test(arguments: [(16, 32), (64, 80), (252, 256), (254, 272), (256, 272), (1020, 1024), (1024, 1040)])
        func theFileHoldsMemoryAndProof(memory: UInt64, file: UInt64) {
            let shape = MemoryFileShape(memory: memory << 20)
            #expect(shape.fileSize == file << 20)
            #expect(shape.memoryOffsetInFile == 2 << 20)
            #expect(shape.proofOffsetInFile + (2 << 20) <= shape.fileSize)
            #expect(shape.deviceSize == shape.fileSize - (2 << 20))
            #expect(shape.proofOffsetInDevice == shape.memory)
        }

        @Test(arguments: [(16, 96), (64, 192), (256, 576), (512, 1088)])
        func theStoreHoldsTwoCopiesAndMore(memory: UInt64, file: UInt64) {
            let shape = StoreFileShape(memory: memory << 20)
            #expect(shape.fileSize == file << 20)
            #expect(shape.deviceSize == shape.fileSize - (2 << 20))
            #expect(shape.blocks * StoreFileShape.blockSize == shape.deviceSize)
        }

        /// The block that Linux 6.1 and 6.12 accepted in a file of 576 MiB.
        @Test func theInfoBlockOfAStoreDiffersInItsSignature() throws {
            let id = try #require(UniqueID("00112233-4455-6677-8899-aabbccddeeff"))
            // Both are files of 592 MiB.
            let memory = DAXInfoBlock(MemoryFileShape(memory: 588 << 20), identity: id)
            let store = DAXInfoBlock(StoreFileShape(memory: 264 << 20), identity: id)
            #expect(store.bytes[..<16].elementsEqual("NVDIMM_PFN_INFO\0".utf8))
            #expect(store.bytes[16..<4088] == memory.bytes[16..<4088])
            #expect(store.bytes[4088...] != memory.bytes[4088...], "the checksum covers it")
        }

        @Test func theDiskOfAStoreIsNamedAsDisksAre() throws {
            #expect(try CoMapping.blockDevice(in: "pmem0\n", at: 0) == "/dev/pmem0")
            for text in ["", "pmem", "pmem0 pmem1", "sda", "pmem0p1", "pmem0;reboot", "../pmem0", "no disk appeared"] {
                #expect(throws: HypervisorError.self) { try CoMapping.blockDevice(in: text, at: 1 << 32) }
            }
            #expect(CoMapping.place(of: 0x1_0000_0000) == "0x100200000")
        }

        @Test func uniqueIDsAreReadAndWritten() throws {
            let text = "0b7d4ae2-9c1f-4a53-8e6d-2f1b5c3a7e90"
            let id = try #require(UniqueID(text.uppercased()))
            #expect(id.description == text)
            #expect(id.bytes.count == 16)
            #expect(UniqueID() != UniqueID())
            #expect(UniqueID(UniqueID().description) != nil)
            for bad in ["", "0b7d4ae2", text + "0", text.replacing("0", with: "g"), text.replacing("-", with: "")] {
                #expect(UniqueID(bad) == nil)
            }
        }

        /// The same bytes as `ndctl create-namespace -m devdax -M mem` of ndctl 76 writes for a file of 80 MiB.
        @Test func theInfoBlockIsThatOfNdctl() throws {
            let id = try #require(UniqueID("00112233-4455-6677-8899-aabbccddeeff"))
            let block = DAXInfoBlock(MemoryFileShape(memory: 64 << 20), identity: id)
            #expect(block.bytes.count == DAXInfoBlock.size)
            let words = stride(from: 0, to: 4096, by: 16).map { offset in
                block.bytes[offset..<offset + 16].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            }
            let shown = words.enumerated().filter { $0.element.contains { $0 != "0" } }.map {
                "\($0.offset * 16): \($0.element)"
            }
            try GoldenFile("dax-info-block.txt").expect(shown)
        }
    }
}
