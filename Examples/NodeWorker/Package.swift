// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "node-worker",
    dependencies: [
        // Elsewhere: .package(url: "…/swift-fork", from: "…")
        .package(name: "swift-fork", path: "../..")
    ],
    targets: [
        .executableTarget(name: "parent", dependencies: [.product(name: "Fork", package: "swift-fork")])
    ]
)
