import Crypto
import CryptoExtras

@testable import GoHubCore

/// Keys and tokens for the tests. The RSA numbers were generated for them and are used nowhere else.
enum TestKeys {
    static let secret = [UInt8]("a secret of 64 bytes, which is enough for each of the three HMACs".utf8)
    static let otherSecret = [UInt8]("another secret of 64 bytes, enough for each of the three HMACs..".utf8)

    static func rsa() throws -> _RSA.Signing.PrivateKey {
        try _RSA.Signing.PrivateKey._createFromNumbers(
            n: bytes(modulus), e: exponent, d: bytes(privateExponent))
    }

    static let rsaPublicPEM = (try? _RSA.Signing.PublicKey(n: bytes(modulus), e: exponent))?.pemRepresentation ?? ""

    private static let exponent: [UInt8] = [1, 0, 1]

    private static func bytes(_ text: String) -> [UInt8] { Base64URL.decode(text.utf8) ?? [] }

    static let modulus =
        "sw8a0eBsVF5iFpp0UbkHWdCEQy6lMfVUaeFd8xy9zl7VDZM0BfbfWkAlR4-i2mqsxsGjNgET8RNIj_pZDNv7icQKl8YHxvC9"
        + "ssTDAsrMnIyMdI3iZ-iQ1DONplkBXUaIIPJJL-BHIzDfaawDbXEp5eSIHUGjnCIXxyXC8gJzH9tcGftuBGRtDfiHiexKTgzE"
        + "HsX0KfVmB6iaYHR9YolYch4hHGI7ZnD559m2UXf3CdZKfLJDL-scIB8Y9GgQ-iPuT_MwEcr6dEiSNuSi0eZfcbllMT-dH6ie"
        + "VKHR34-ciNzsrxodOn4BRXW7zSeNFMi71evJBSEvgvgilWf47IP72w"

    static let privateExponent =
        "OUZUmtuBaz9Bet9u45Ee09DJ7b9m4eMKXE_VQGVqJS_aUFxMoLfF29V21zwPqHPEzlK0BRs1KMC1TjCS-XUIMZn-lWunoy_w"
        + "TdV4V1VNO6oNZ17XE8ulP-s5nQMNV6uu8XLujBzeRFhmriNyeThgYYPHMiyDy_Zvyqi-gbDc6Ew2THIVJoD5vSXmbasxMxvh"
        + "wWNE1IH2wxVSXIAAKCrH0DHuD5uyv1sFlzMr4_vLq7Gf-qxc3kfrc-ddLTVdYDMscQbaTourTEgzT0wkToMKHgA-faF5ZXWe"
        + "LW8hp5KDHgXRm0YyajDNniaOHYVwUNqmKriJajF9fWc8_qY-sZ4TcQ"

    /// A key of 1024 bits.
    static let weakModulus =
        "yICOKshJ5rmpSlETyBhOAvCrSrsTUG362kIwsNSySUAkYCrKiHbAaUf5-YsAqMZDEAeT4KcowO8thIorz95kkEf_pgtO_mS7"
        + "dhB91Jh7YCgKl84zIof9rrc_HwtWRl5BzyTjyK34JMahFuX-YXLQTfob8qxDu1JUnkiFHeWYuQ0"

    static let weakRSAPublicPEM = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDIgI4qyEnmualKURPIGE4C8KtK
        uxNQbfraQjCw1LJJQCRgKsqIdsBpR/n5iwCoxkMQB5PgpyjA7y2EiivP3mSQR/+m
        C07+ZLt2EH3UmHtgKAqXzjMih/2utz8fC1ZGXkHPJOPIrfgkxqEW5f5hctBN+hvy
        rEO7UlSeSIUd5Zi5DQIDAQAB
        -----END PUBLIC KEY-----
        """

    static let rsaPSSPublicPEM = """
        -----BEGIN PUBLIC KEY-----
        MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBALbr+O72JfzAelFiFVIGD9wY
        ScEwlHv1gbwa5+ecA+gMZiE+QHEdgvCvYvTIFrEKZGSGY925YQXYghcnUPClrwzG
        6rUoRD+p2xhKfSkaVFUoEsnoclpjPNIJ6fSAx91U3bV3rnqg/8Ez9B1y5mSzR2zE
        90iXaaIRuokImMYH5aCywZXzXykTcW3urrReblQG0T4NCwDZ1JQMcfPd0FdQSAe3
        X74HJVTvdEWqztV0U1YjJ5gfWzv1naX6wzgur9aygOEuVkKnMbUdbWvnBoqih57K
        nBh0LntuKLynm2zXgF7kMB0mqEVJiI0kVht/EadVVurXOewQTiKVy0CBurMqatkC
        AwEAAQ==
        -----END PUBLIC KEY-----
        """

    static let pkcs1PublicPEM = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCgKCAQEAzrsUS9YpEtPlILxHE0oyQE1MMNfhEdeda8y777/5YTHQryo90nzp
        7KiKti3vvZgebTnETqRFk33PJ/TcNkjQTqg8hBR1UEXRcwipDZPO80r9/M+l/APJ
        p3s8Ou91k4QyZGvlZ6yOKRxfaIENKSSecyr28hg5fyZ1koysXbW7lwG7QauD8Lyj
        YBY0CCvFuDkQibLA21j4aDgL6KV2MpDm3CvIOEwJAO836BQqhqP7Is2m/FTkxAUh
        bLERwIGu6WaEe2WSLTrDLdUg3XXeHqRq4TzcYymukl66Bc2DUbxQDtnSiApZi/Yh
        gah9Yz23eXXfN6j21RMcbf/DxQawU/aZPQIDAQAB
        -----END RSA PUBLIC KEY-----
        """

    static let x25519PublicPEM = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VuAyEAMFS55bgGqjjjFoNcqHKIOOFKN3DI+KTlsTn/PEJ2aBA=
        -----END PUBLIC KEY-----
        """

    static let p521PublicPEM = """
        -----BEGIN PUBLIC KEY-----
        MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQANTAjobuDxVcuv5VOciHJLEXAGaVt
        9lDdT19c0gtxMtJL3ovhwGhcLyMCO+bXhx8Q/4pHq8+S3u+HEOklbMx/XXkBXF0c
        Wb154pXwnzubMIiv4M/M1+gIqupANAhj+T/ojWVQ6LNXxVjfm5AWWUXivHpdoW+9
        KtULJ8J+LOcnzisiZXQ=
        -----END PUBLIC KEY-----
        """
}
