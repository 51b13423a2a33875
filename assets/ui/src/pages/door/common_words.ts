/** What people's passwords are made of, the most frequent first: known passwords, walks over the keyboard, and what is typed in China. */
export const commonWords = `
123456 password 12345678 qwerty 123456789 12345 1234 111111 1234567 admin woaini 5201314 1qaz2wsx 123123 abc123 1314520 000000
qwertyuiop 1234567890 666666 888888 qazwsx 123qwe 1q2w3e4r 1q2w3e4r5t q1w2e3r4 password1 letmein welcome login master root
administrator passw0rd iloveyou sunshine princess football baseball monkey dragon shadow superman batman michael jordan charlie
a123456 aa123456 qq123456 123456a 123456aa a12345678 abcd1234 qwer1234 asdf1234 zxcv1234 qwe123 asd123 zxc123 123abc abc abcd abcdef
1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qaz2wsx3edc4rfv5tgb zaq1 zaq12wsx xsw2 cde3 zaq1xsw2 zaq1xsw2cde3
qazwsxedc qazwsxedcrfv qaz wsx edc rfv qwe asd zxc qweasd qweasdzxc asdzxc qwerasdf asdfghjkl asdfgh asdf zxcvbnm zxcvbn zxcv qwert qwerty123
520 521 1314 14520 7758521 7758258 5211314 147258369 147258 159357 159753 741852963 123321 112233 121212 131313 12344321 88888888 66666666
11111111 00000000 99999999 168 888 666 999 518 588 668 688 10086 10010 10000 110 119 2008 8888 6666 9999 0000 1111 1212 2580 123
woaiwojia wojiushiwo woaini1314 woaini520 woaini521 aini1314 aini wo ai ni woshishui nishishui caonima zhongguo beijing shanghai guangzhou
shenzhen hangzhou chengdu taobao weixin wechat zhifubao alipay baidu tencent alibaba huawei xiaomi jinyu zhihe mima denglu guanli guanliyuan
admin888 admin123 admin1234 admin1314159 adminadmin root123 test test123 guest user demo system server manager owner secret changeme default
goldfish fish koi carp money love lover angel baby honey happy lucky forever friend family mother father summer winter spring autumn
january february march april june july august september october november december monday friday sunday google apple microsoft windows
samsung android iphone company office computer internet software license licence hello world pass pwd word key hunter trustno1 whatever
starwars matrix freedom pepper cheese coffee chocolate orange banana cookie flower purple silver golden ginger tigger tiger lion eagle
falcon phoenix mustang ferrari porsche mercedes jennifer jessica michelle daniel andrew robert thomas george william james david richard
`
  .trim()
  .split(/\s+/)
