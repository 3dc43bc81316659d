/** Ways of writing addresses that are not of the public internet, as hosts of a URL: decimal, octal, mapped, folded. */
export const INNER_HOSTS: readonly string[] = [
  ...['127.0.0.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '0x7f.1', '127.0.0.1.', '0'],
  ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:0:0:1]', '[fd00:ec2::254]'],
  ...['169.254.169.254', '2852039166', '0xa9fea9fe', '10.0.0.1', '012.0.0.1', '192.168.0.1'],
  ...['1\uff127.0.0.1', '\u2460\u2461\u2466.\u24ea.\u24ea.\u2460'],
];
