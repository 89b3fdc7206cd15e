//! Topic names and filters, with the examples of MQTT section 4.7.

use super::super::topic::{TopicError, filter_matches, validate_filter, validate_name};

#[test]
fn topics() {
    // Section 4.7.1.2 and 4.7.1.3, the examples.
    for valid in [
        "#",
        "sport/tennis/#",
        "sport/#",
        "+",
        "+/tennis/#",
        "sport/+/player1",
        "/finance",
        "/",
    ] {
        assert_eq!(validate_filter(valid), Ok(()), "{valid}");
    }
    for (filter, error) in [
        ("sport/tennis#", TopicError::MisplacedMultiLevelWildcard),
        (
            "sport/tennis/#/ranking",
            TopicError::MisplacedMultiLevelWildcard,
        ),
        ("#/", TopicError::MisplacedMultiLevelWildcard),
        ("sport+", TopicError::MisplacedSingleLevelWildcard),
        ("++", TopicError::MisplacedSingleLevelWildcard),
        ("", TopicError::Empty),
        ("a\0", TopicError::NulCharacter),
    ] {
        assert_eq!(validate_filter(filter), Err(error), "{filter}");
    }
    // Every place of a forbidden character, across the lengths at which the search works in chunks.
    for length in 1..40 {
        assert_eq!(validate_name(&"x".repeat(length)), Ok(()));
        for place in 0..length {
            for (character, error) in [
                ("+", TopicError::WildcardInName),
                ("#", TopicError::WildcardInName),
                ("\0", TopicError::NulCharacter),
            ] {
                let mut name = "x".repeat(length);
                name.replace_range(place..=place, character);
                assert_eq!(validate_name(&name), Err(error), "{length} {place}");
            }
        }
    }
    for character in (1..=127_u8).map(char::from).filter(|c| !"+#".contains(*c)) {
        assert_eq!(
            validate_name(&std::string::String::from(character).repeat(17)),
            Ok(())
        );
    }
    assert_eq!(validate_name(&"x".repeat(65_535)), Ok(()));

    for (filter, topic, matches) in [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/ranking",
            true,
        ),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/score/wimbledon",
            true,
        ),
        ("sport/tennis/player1/#", "sport/tennis/player2", false),
        ("sport/#", "sport", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        // Section 4.7.2.
        ("#", "$SYS/", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        // Section 4.7.3.
        ("ACCOUNTS", "Accounts", false),
        ("/finance", "finance", false),
        ("a/b", "a", false),
    ] {
        assert_eq!(filter_matches(filter, topic), matches, "{filter} {topic}");
    }
}
