/// Something that has work to finish when the loop's turn is over, such as writes gathered during the turn.
package protocol TurnParticipant: AnyObject, Sendable {
    func turnEnds()
}
