// swift-tools-version: 6.2

import PackageDescription

let fork = Target.Dependency.product(name: "Fork", package: "swift-fork")

let package = Package(
    name: "swift-fork-benchmarks",
    dependencies: [.package(name: "swift-fork", path: "..")],
    targets: [
        .target(name: "BenchValues", dependencies: [fork]),
        .executableTarget(name: "BenchParent", dependencies: [fork, "BenchValues"]),
        .executableTarget(name: "BenchChild", dependencies: [fork, "BenchValues"]),
    ]
)

for target in package.targets {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]
}
