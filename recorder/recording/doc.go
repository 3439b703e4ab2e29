// Package recording keeps what a terminal showed: it writes recordings, finds
// them again and reads them.
//
// # Scope
//
// It is given bytes as they were shown, masked already. It does not mask,
// decide or play. A recording that cannot be written any more says so, and its
// session must end. What a recording tells of commands is derived from the
// screen: an aid for readers, not a boundary. Whoever prints to the screen can
// print what looks like a command.
//
// # Files
//
// A recording is one file, <session>.<action>.cast, in asciicast v3
// (https://docs.asciinema.org/manual/asciicast/v3/): a line of JSON that
// describes it, then one line an event, appended. Every player of that format
// plays it, a program that was killed loses what it wrote within the last
// second, and a line that was torn is cut off when the folder is opened again.
// While it is written, an empty file of the same name stands in the folder live.
//
// What asciicast has no word for stands under the key "hoop" of the first line,
// and in events with the code "h", which players pass over as the format asks
// them to. Their data is JSON; see Note.
//
// # Input
//
// A password must not be recorded, and nobody between the two ends of a
// terminal can see whether its program echoes. So a key that was pressed is
// kept in memory until the screen shows it before the cursor, within a second
// and before the line ends; what was not shown is forgotten. Keys that show
// nothing by themselves, such as Enter, Tab and arrows, are recorded together
// with what was shown before them. A character of a password is recorded only
// where the program prints the whole of what was typed as its own output, and
// then it stands in the recorded output anyway.
package recording
