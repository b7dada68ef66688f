import { describe, expect, test } from "vitest";
import { isPublicAddress, Networks } from "./networks.ts";

describe("an address is of the internet", () => {
  test.each([
    "1.1.1.1",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
  ])("%s", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe("an address is not of the internet", () => {
  test.each([
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "0:0:0:0:0:ffff:10.0.0.1",
    "::FFFF:192.168.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
  ])("%s", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

test("networks have what is inside of them, however it is spelled", () => {
  const networks = new Networks(["10.0.0.0/8", "fd00::/8", "192.168.7.7"]);
  const inside = ["10.9.9.9", "::ffff:10.0.0.1", "fd12::1", "192.168.7.7"];
  const outside = ["11.0.0.1", "192.168.7.8", "fc00::1"];
  expect(inside.filter((address) => !networks.has(address))).toEqual([]);
  expect(outside.filter((address) => networks.has(address))).toEqual([]);
});

test.each([
  "10.0.0.0/33",
  "10.0.0/8",
  "example.com",
  "fd00::/129",
  "",
  "1.1.1.1/",
])('"%s" is no network', (network) => {
  expect(() => new Networks([network])).toThrow(RangeError);
});
