import Foundation
import Testing

@Suite struct HouseDrawingTests {
    private static let document = "docs/architecture.md"

    @Test(arguments: ["modules", "folders of HyperFresh"])
    func theDrawingShowsTheCode(_ drawing: String) throws {
        let uses =
            try drawing == "modules"
            ? HouseDrawing.reduced(HouseDrawing.modules()) : HouseDrawing.folders(of: "HyperFresh")
        let text = try SourceTree.text(Self.document)
        let mark = "<!-- \(drawing) -->\n"
        let pieces = text.components(separatedBy: mark)
        try #require(pieces.count == 3, "\(Self.document) has no place for the drawing of the \(drawing)")
        let drawn = "\(HouseDrawing.mermaid(uses))\n"
        if ProcessInfo.processInfo.environment["HYPERFRESH_DRAW"] != nil {
            let new = [pieces[0], drawn, pieces[2]].joined(separator: mark)
            try new.write(to: SourceTree.root.appendingPathComponent(Self.document), atomically: true, encoding: .utf8)
        } else {
            #expect(pieces[1] == drawn, "the drawing is not of this code: run scripts/draw-house")
        }
    }

    /// The folder `API` has the types that all use and the functions that use all.
    @Test func noFolderButTheAPIIsPartOfACycle() throws {
        var uses = try HouseDrawing.folders(of: "HyperFresh")
        uses["API"] = []
        for name in uses.keys { #expect(!HouseDrawing.reach(of: name, in: uses).contains(name), "\(name)") }
    }

    @Test func arrowsThatFollowFromOthersAreLeftOut() {
        #expect(HouseDrawing.reduced(["a": ["b", "c"], "b": ["c"], "c": []]) == ["a": ["b"], "b": ["c"], "c": []])
    }

    @Test func oneArrowIsDrawnForBothWays() {
        #expect(
            HouseDrawing.mermaid(["b": ["a"], "a": ["b", "c"], "c": []])
                == "```mermaid\nflowchart TD\n    a <--> b\n    a --> c\n```")
    }
}
