// A recorded session of EXAMPLE001test01: 231 s from 2021-07-20T08:44:57Z.
// Recorded by engine 0.1.0, masked: secrets.
// What went in: 2 x accept, 1 x close, 1 x disconnected (Broken), 1 x get, 1 x publish, 1 x report, 1 x update.
// What came out: 1 x Closed, 2 x Connected, 2 x Delta, 1 x Disconnected, 2 x Ended/Accepted, 1 x Ended/Cancelled, 1 x Ended/Published, 2 x Ended/Reported, 2 x Ready, 2 x ShadowSubscribed, 2 x connections.

#[test]
fn lamp_replays() {
    conformance::replay_text("lamp", RECORDING).assert_same();
}

const RECORDING: &str = r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}
{"at":0,"in":"start","seed":7,"config":{"login":{"key":{"device":{"product_id":"EXAMPLE001","device_name":"test01"},"method":"hmacsha256","user_name":{"sdk_app_id":12010126,"connection_id":null,"expiry":{"after":3600}}}},"own_shadow":{"product_id":"EXAMPLE001","device_name":"test01"},"protocol_version":"MQTT 3.1.1","keep_alive":60,"ping_timeout":10,"connect_timeout":20,"clean_session":true,"request_timeout":10,"backoff":{"initial":1,"maximum":60,"stable_after":5,"least_interval":5,"slow_initial":10,"slow_maximum":600,"contested_after":3},"shadow_qos":0,"version_policy":{"rebase":{"tries":3}},"maximum_packet_size":131072,"limits":{"document_size":16384,"document_depth":5,"payload_size":16384,"topic_length":255,"product_id_length":10,"device_name_length":48,"keep_alive_minimum":60,"keep_alive_maximum":850,"messages_per_second":20},"maximum_requests":64,"maximum_queued_bytes":65536,"maximum_in_flight":16,"maximum_events":256,"maximum_event_bytes":262144,"maximum_subscriptions":1024,"behaviour":{"json_style":"compact","token_style":"nonce","wait_for_suback":true,"get_on_subscribe":true,"resubscribe":true,"renew_credentials":true,"guard_shadow_topics":true,"duplicate_without_session":false}},"session":null}
{"at":0,"out":"deadline","due":0,"timer":"Reconnect"}
{"at":0,"in":"wall","unix_ms":1626770697670}
{"at":0,"out":"connect"}
{"at":0,"out":"deadline","due":20000000,"timer":"Connect"}
{"at":50000,"in":"connected"}
{"at":50000,"out":"packet","packet":"CONNECT","version":"MQTT 3.1.1","client_id":"EXAMPLE001test01","user_name":"EXAMPLE001test01;12010126;IZG74;1626774297","password":"***","keep_alive":60,"clean_session":true}
{"at":100000,"in":"bytes","bytes":" \u0002\u0000\u0000"}
{"at":100000,"out":"packet","packet":"SUBSCRIBE","id":1,"filters":[["$shadow/operation/result/EXAMPLE001/test01",0]]}
{"at":100000,"out":"event","event":"Connected","session_present":false}
{"at":100000,"out":"deadline","due":10100000,"timer":"Acknowledgement"}
{"at":150000,"in":"bytes","bytes":"\u0090\u0003\u0000\u0001\u0000"}
{"at":150000,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"get","clientToken":"YB3kcPdU-0"}}
{"at":150000,"out":"event","event":"ShadowSubscribed","shadow":0}
{"at":150000,"out":"deadline","due":10150000,"timer":"Request"}
{"at":200000,"in":"bytes","bytes":"0\u00ea\u0001\u0000*$shadow/operation/result/EXAMPLE001/test01{\"clientToken\":\"YB3kcPdU-0\",\"payload\":{\"state\":{\"reported\":{\"updateCount\":0,\"updateCount11\":\"shadow\"}},\"timestamp\":1626770626087,\"version\":8},\"result\":0,\"timestamp\":1626770697,\"type\":\"get\"}\u000a"}
{"at":200000,"out":"event","event":"Ready","shadow":0,"document":{"state":{"reported":{"updateCount":0,"updateCount11":"shadow"}},"timestamp":1626770626087,"version":8}}
{"at":200000,"out":"deadline","due":60150000,"timer":"KeepAlive"}
{"at":1000000,"in":"report","shadow":0,"reported":{"colour":{"green":2.5,"red":1},"power":false}}
{"at":1000000,"out":"accepted","request":2}
{"at":1000000,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"update","state":{"reported":{"colour":{"green":2.5,"red":1},"power":false}},"version":8,"clientToken":"YB3kcPdU-1"}}
{"at":1000000,"out":"deadline","due":11000000,"timer":"Request"}
{"at":1050000,"in":"bytes","bytes":"0\u00f4\u0001\u0000*$shadow/operation/result/EXAMPLE001/test01{\"clientToken\":\"YB3kcPdU-1\",\"payload\":{\"state\":{\"reported\":{\"colour\":{\"green\":2.5,\"red\":1},\"power\":false}},\"timestamp\":1626770698690,\"version\":9},\"result\":0,\"timestamp\":1626770698690,\"type\":\"update\"}\u000a"}
{"at":1050000,"out":"event","event":"Ended","request":2,"outcome":"Reported","version":9}
{"at":1050000,"out":"deadline","due":61000000,"timer":"KeepAlive"}
{"at":5030000,"in":"bytes","bytes":"0\u00a1\u0001\u0000*$shadow/operation/result/EXAMPLE001/test01{\"payload\":{\"state\":{\"power\":true},\"timestamp\":1626770702670,\"version\":10},\"timestamp\":1626770702670,\"type\":\"delta\"}\u000a"}
{"at":5030000,"out":"event","event":"Delta","shadow":0,"origin":"Pushed","version":10,"state":{"power":true}}
{"at":10000000,"in":"accept","shadow":0,"origin":"Pushed","version":10,"state":{"power":true}}
{"at":10000000,"out":"accepted","request":4}
{"at":10000000,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"update","state":{"reported":{"power":true},"desired":null},"version":10,"clientToken":"YB3kcPdU-2"}}
{"at":10000000,"out":"deadline","due":20000000,"timer":"Request"}
{"at":10050000,"in":"bytes","bytes":"0\u00e4\u0001\u0000*$shadow/operation/result/EXAMPLE001/test01{\"clientToken\":\"YB3kcPdU-2\",\"payload\":{\"state\":{\"desired\":null,\"reported\":{\"power\":true}},\"timestamp\":1626770707690,\"version\":11},\"result\":0,\"timestamp\":1626770707690,\"type\":\"update\"}\u000a"}
{"at":10050000,"out":"event","event":"Ended","request":4,"outcome":"Reported","version":11}
{"at":10050000,"out":"deadline","due":70000000,"timer":"KeepAlive"}
{"at":11000000,"in":"get","shadow":0}
{"at":11000000,"out":"accepted","request":6}
{"at":11000000,"out":"deadline","due":21000000,"timer":"Request"}
{"at":11000000,"in":"update","shadow":0,"reported":{"updateCount":12},"pending":true}
{"at":11000000,"out":"accepted","request":7}
{"at":11000000,"in":"publish","topic":"EXAMPLE001/test01/data","qos":0,"payload_bytes":"\u0000\u00ff binary","pending":true}
{"at":11000000,"out":"accepted","request":8}
{"at":11000000,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"get","clientToken":"YB3kcPdU-3"}}
{"at":11000000,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"update","state":{"reported":{"updateCount":12}},"clientToken":"YB3kcPdU-4"}}
{"at":11000000,"out":"packet","packet":"PUBLISH","topic":"EXAMPLE001/test01/data","qos":0,"payload_bytes":"\u0000\u00ff binary"}
{"at":11000000,"out":"event","event":"Ended","request":8,"outcome":"Published"}
{"at":11050000,"in":"bytes","bytes":"0\u0097\u0002\u0000*$shadow/operation/result/EXAMPLE001/test01{\"clientToken\":\"YB3kcPdU-3\",\"payload\":{\"state\":{\"reported\":{\"colour\":{\"green\":2.5,\"red\":1},\"power\":true,\"updateCount\":0,\"updateCount11\":\"shadow\"}},\"timestamp\":1626770707690,\"version\":11},\"result\":0,\"timestamp\":1626770708,\"type\":\"get\"}\u000a"}
{"at":11050000,"out":"event","event":"Ended","request":6,"outcome":"Accepted","document":{"state":{"reported":{"colour":{"green":2.5,"red":1},"power":true,"updateCount":0,"updateCount11":"shadow"}},"timestamp":1626770707690,"version":11}}
{"at":11050000,"in":"bytes","bytes":"0\u00d9\u0001\u0000*$shadow/operation/result/EXAMPLE001/test01{\"clientToken\":\"YB3kcPdU-4\",\"payload\":{\"state\":{\"reported\":{\"updateCount\":12}},\"timestamp\":1626770708690,\"version\":12},\"result\":0,\"timestamp\":1626770708690,\"type\":\"update\"}\u000a"}
{"at":11050000,"out":"event","event":"Ended","request":7,"outcome":"Accepted","document":{"state":{"reported":{"updateCount":12}},"timestamp":1626770708690,"version":12}}
{"at":11050000,"out":"deadline","due":71000000,"timer":"KeepAlive"}
{"at":71000000,"in":"tick"}
{"at":71000000,"out":"packet","packet":"PINGREQ"}
{"at":71000000,"out":"deadline","due":81000000,"timer":"PingResponse"}
{"at":71050000,"in":"bytes","bytes":"\u00d0\u0000"}
{"at":71050000,"out":"deadline","due":131000000,"timer":"KeepAlive"}
{"at":111000000,"in":"disconnected","failure":"Broken","why":"cut"}
{"at":111000000,"out":"event","event":"Disconnected","kind":"Broken","cause":"the connection broke: cut","retry_in":935666}
{"at":111000000,"out":"deadline","due":111935666,"timer":"Reconnect"}
{"at":111935666,"in":"tick"}
{"at":111935666,"out":"connect"}
{"at":111935666,"out":"deadline","due":131935666,"timer":"Connect"}
{"at":111985666,"in":"connected"}
{"at":111985666,"out":"packet","packet":"CONNECT","version":"MQTT 3.1.1","client_id":"EXAMPLE001test01","user_name":"EXAMPLE001test01;12010126;1h2Um;1626774409","password":"***","keep_alive":60,"clean_session":true}
{"at":112035666,"in":"bytes","bytes":" \u0002\u0000\u0000"}
{"at":112035666,"out":"packet","packet":"SUBSCRIBE","id":8,"filters":[["$shadow/operation/result/EXAMPLE001/test01",0]]}
{"at":112035666,"out":"event","event":"Connected","session_present":false}
{"at":112035666,"out":"deadline","due":122035666,"timer":"Acknowledgement"}
{"at":112085666,"in":"bytes","bytes":"\u0090\u0003\u0000\u0008\u0000"}
{"at":112085666,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"get","clientToken":"YB3kcPdU-5"}}
{"at":112085666,"out":"event","event":"ShadowSubscribed","shadow":0}
{"at":112085666,"out":"deadline","due":122085666,"timer":"Request"}
{"at":112135666,"in":"bytes","bytes":"0\u00f0\u0002\u0000*$shadow/operation/result/EXAMPLE001/test01{\"clientToken\":\"YB3kcPdU-5\",\"payload\":{\"state\":{\"delta\":{\"colour\":{\"red\":9},\"power\":false},\"desired\":{\"colour\":{\"red\":9},\"power\":false},\"reported\":{\"colour\":{\"green\":2.5,\"red\":1},\"power\":true,\"updateCount\":12,\"updateCount11\":\"shadow\"}},\"timestamp\":1626770808670,\"version\":13},\"result\":0,\"timestamp\":1626770809,\"type\":\"get\"}\u000a"}
{"at":112135666,"out":"event","event":"Delta","shadow":0,"origin":"Fetched","version":13,"state":{"colour":{"red":9},"power":false}}
{"at":112135666,"out":"event","event":"Ready","shadow":0,"document":{"state":{"delta":{"colour":{"red":9},"power":false},"desired":{"colour":{"red":9},"power":false},"reported":{"colour":{"green":2.5,"red":1},"power":true,"updateCount":12,"updateCount11":"shadow"}},"timestamp":1626770808670,"version":13}}
{"at":112135666,"out":"deadline","due":172085666,"timer":"KeepAlive"}
{"at":172085666,"in":"tick"}
{"at":172085666,"out":"packet","packet":"PINGREQ"}
{"at":172085666,"out":"deadline","due":182085666,"timer":"PingResponse"}
{"at":172135666,"in":"bytes","bytes":"\u00d0\u0000"}
{"at":172135666,"out":"deadline","due":232085666,"timer":"KeepAlive"}
{"at":231000000,"in":"accept","shadow":0,"origin":"Fetched","version":13,"state":{"colour":{"red":9},"power":false}}
{"at":231000000,"out":"accepted","request":11}
{"at":231000000,"in":"close","pending":true}
{"at":231000000,"out":"packet","packet":"PUBLISH","topic":"$shadow/operation/EXAMPLE001/test01","qos":0,"payload":{"type":"update","state":{"reported":{"colour":{"red":9},"power":false},"desired":null},"version":13,"clientToken":"YB3kcPdU-6"}}
{"at":231000000,"out":"packet","packet":"DISCONNECT"}
{"at":231000000,"out":"close"}
{"at":231000000,"out":"event","event":"Ended","request":11,"outcome":"Cancelled"}
{"at":231000000,"out":"event","event":"Closed"}
{"at":231000000,"out":"deadline","due":null}
{"at":231000000,"in":"end"}
"#;
