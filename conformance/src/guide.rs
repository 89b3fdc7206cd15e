//! The code in the README and in the guide compiles, and what it asserts holds.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/guide/README.md")]
struct Contents;

#[doc = include_str!("../../docs/guide/quick-start.md")]
struct QuickStart;

#[doc = include_str!("../../docs/guide/how-the-engine-thinks.md")]
struct HowTheEngineThinks;

#[doc = include_str!("../../docs/guide/embedding.md")]
struct Embedding;

#[doc = include_str!("../../docs/guide/replaying.md")]
struct Replaying;

#[doc = include_str!("../../docs/guide/cookbook.md")]
struct Cookbook;

#[doc = include_str!("../../docs/guide/from-the-python-sdk.md")]
struct FromThePythonSdk;

#[doc = include_str!("../../docs/guide/from-the-c-sdk.md")]
struct FromTheCSdk;

#[doc = include_str!("../../docs/guide/from-the-java-sdk.md")]
struct FromTheJavaSdk;

#[doc = include_str!("../../docs/guide/from-aws.md")]
struct FromAws;

#[doc = include_str!("../../docs/guide/from-rumqttc.md")]
struct FromRumqttc;
