//! MQTT
